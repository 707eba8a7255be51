public import Pipeline

/// The options of `export.compressed_tensors`.
public struct CompressedTensorsExportOptions: StageOptions {
  /// The folder.
  public var path = ExportPath("")
  /// How codes are stored.
  public var layout: CompressedLayout?
  /// The type of the tensors that are not quantized.
  public var type: ElementType?
  /// How codes of which many stand for zero are stored.
  public var sparse = SparseCodeStorage.none
  /// The most bytes of tensors in one file.
  public var maxShardSize = ByteSize(5_000_000_000)

  /// Creates the default options.
  public init() {}

  /// The options.
  public static var fields: [Field<CompressedTensorsExportOptions>] {
    [
      .required("path", \.path, "The folder to write."),
      .field(
        "layout",
        \.layout,
        "How codes are stored; by default `int-quantized` for layers whose inputs are quantized, "
          + "`pack-quantized` for the others."
      ),
      .field(
        "type",
        \.type,
        "The type of the tensors that are not quantized; by default the type they have."
      ),
      .field(
        "sparse",
        \.sparse,
        "How codes of which many stand for zero are stored: what pruning has left."
      ),
      .field("max_shard_size", \.maxShardSize, "The most bytes of tensors in one file."),
    ]
  }
}

/// `export.compressed_tensors`: writes a folder with quantized weights that transformers opens.
public struct CompressedTensorsExportStage: ExportStage {
  /// `export.compressed_tensors`.
  public static let kind = "export.compressed_tensors"
  /// What the stage does.
  public static let summary =
    "Writes a Hugging Face folder with integer codes in the format of compressed-tensors."
  /// A line of a recipe.
  public static let example = "export.compressed_tensors: { path: model-w4, type: bfloat16 }"

  private let options: CompressedTensorsExportOptions

  /// Creates the stage.
  public init(_ options: CompressedTensorsExportOptions) { self.options = options }

  /// The folder.
  public var exportPath: String? { options.path.path }

  /// The format with the stage's options.
  public var format: CompressedTensorsFormat {
    CompressedTensorsFormat(
      layout: options.layout,
      type: options.type,
      sparse: options.sparse,
      maximumShardByteCount: options.maxShardSize.byteCount
    )
  }
}
