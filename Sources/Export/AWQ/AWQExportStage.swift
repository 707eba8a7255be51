public import Pipeline

/// The options of `export.awq`.
public struct AWQExportOptions: StageOptions {
  /// The folder.
  public var path = ExportPath("")
  /// Whether scales may be rounded.
  public var rounding = RoundingRule.refused
  /// The type of the tensors that are not quantized.
  public var type: ElementType?
  /// The most bytes of tensors in one file.
  public var maxShardSize = ByteSize(5_000_000_000)

  /// Creates the default options.
  public init() {}

  /// The options.
  public static var fields: [Field<AWQExportOptions>] {
    [
      .required("path", \.path, "The folder to write."),
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

/// `export.awq`: writes a folder with codes of 4 bits in AutoAWQ's `gemm` layout.
public struct AWQExportStage: ExportStage {
  /// `export.awq`.
  public static let kind = "export.awq"
  /// What the stage does.
  public static let summary =
    "Writes a Hugging Face folder with codes of 4 bits in AutoAWQ's `gemm` layout."
  /// A line of a recipe.
  public static let example = "export.awq: { path: model-awq, type: float16 }"

  private let options: AWQExportOptions

  /// Creates the stage.
  public init(_ options: AWQExportOptions) { self.options = options }

  /// The folder.
  public var exportPath: String? { options.path.path }

  /// The format with the stage's options.
  public var format: AWQFormat {
    AWQFormat(
      rounding: options.rounding,
      type: options.type,
      maximumShardByteCount: options.maxShardSize.byteCount
    )
  }
}
