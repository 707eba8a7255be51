public import Pipeline

/// The options of `export.gptq`.
public struct GPTQExportOptions: StageOptions {
  /// The folder.
  public var path = ExportPath("")
  /// How zero points are stored.
  public var checkpointFormat: GPTQVersion?
  /// Whether scales may be rounded.
  public var rounding = RoundingRule.refused
  /// The type of the tensors that are not quantized.
  public var type: ElementType?
  /// The most bytes of tensors in one file.
  public var maxShardSize = ByteSize(5_000_000_000)

  /// Creates the default options.
  public init() {}

  /// The options.
  public static var fields: [Field<GPTQExportOptions>] {
    [
      .required("path", \.path, "The folder to write."),
      .field(
        "checkpoint_format",
        \.checkpointFormat,
        "How zero points are stored; by default `gptq` if every matrix is symmetric, else "
          + "`gptq_v2`."
      ),
      .field(
        "rounding",
        \.rounding,
        "Whether scales that are no float16 numbers may be rounded."
      ),
      .field(
        "type",
        \.type,
        "The type of the tensors that are not quantized; by default the type they have. Some "
          + "kernels ask for `float16`."
      ),
      .field("max_shard_size", \.maxShardSize, "The most bytes of tensors in one file."),
    ]
  }
}

/// `export.gptq`: writes a folder with quantized weights in the format of AutoGPTQ and GPTQModel.
public struct GPTQExportStage: ExportStage {
  /// `export.gptq`.
  public static let kind = "export.gptq"
  /// What the stage does.
  public static let summary =
    "Writes a Hugging Face folder with integer codes in the format of AutoGPTQ and GPTQModel."
  /// A line of a recipe.
  public static let example = "export.gptq: { path: model-gptq, type: float16 }"

  private let options: GPTQExportOptions

  /// Creates the stage.
  public init(_ options: GPTQExportOptions) { self.options = options }

  /// The folder.
  public var exportPath: String? { options.path.path }

  /// The format with the stage's options.
  public var format: GPTQFormat {
    GPTQFormat(
      version: options.checkpointFormat,
      rounding: options.rounding,
      type: options.type,
      maximumShardByteCount: options.maxShardSize.byteCount
    )
  }
}
