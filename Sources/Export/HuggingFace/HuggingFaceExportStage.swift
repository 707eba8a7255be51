public import Pipeline

/// The options of `export.huggingface`.
public struct HuggingFaceExportOptions: StageOptions {
  /// The folder.
  public var path = ExportPath("")
  /// The type of every tensor.
  public var type = ElementType.bfloat16
  /// How matrices with many zeros are stored.
  public var sparse = SparseStorage.none
  /// The most bytes of tensors in one file.
  public var maxShardSize = ByteSize(5_000_000_000)

  /// Creates the default options.
  public init() {}

  /// The options.
  public static var fields: [Field<HuggingFaceExportOptions>] {
    [
      .required("path", \.path, "The folder to write."),
      .required("type", \.type, "The type of every tensor."),
      .field("sparse", \.sparse, "How matrices with many zeros are stored."),
      .field("max_shard_size", \.maxShardSize, "The most bytes of tensors in one file."),
    ]
  }
}

/// `export.huggingface`: writes a folder with plain weights that transformers opens.
public struct HuggingFaceExportStage: ExportStage {
  /// `export.huggingface`.
  public static let kind = "export.huggingface"
  /// What the stage does.
  public static let summary = "Writes a Hugging Face folder with plain weights."
  /// A line of a recipe.
  public static let example = "export.huggingface: { path: model-bf16, type: bfloat16 }"

  private let options: HuggingFaceExportOptions

  /// Creates the stage.
  public init(_ options: HuggingFaceExportOptions) { self.options = options }

  /// The folder.
  public var exportPath: String? { options.path.path }

  /// The format with the stage's options.
  public var format: HuggingFaceFormat {
    HuggingFaceFormat(
      type: options.type,
      sparse: options.sparse,
      maximumShardByteCount: options.maxShardSize.byteCount
    )
  }
}
