public import Pipeline

/// The options of `export.gguf`.
public struct GGUFExportOptions: StageOptions {
  /// The file.
  public var path = ExportPath("")
  /// The type of the blocks' matrices.
  public var type = GGUFTensorType.lossless
  /// The type of embedding and head.
  public var embedding: GGUFTensorType?
  /// Whether quantized matrices may be rounded a second time.
  public var requantize = false

  /// Creates the default options.
  public init() {}

  /// The options.
  public static var fields: [Field<GGUFExportOptions>] {
    [
      .required("path", \.path, "The file to write."),
      .required("type", \.type, "The type of the blocks' matrices."),
      .field(
        "embedding",
        \.embedding,
        "The type of embedding and head. By default, they keep what they have if that is "
          + "quantized, and otherwise get `type`, but no less than `q8_0`."
      ),
      .field(
        "requantize",
        \.requantize,
        "Whether a quantized matrix that the type cannot hold exactly may be rounded a second "
          + "time. The largest change is reported."
      ),
    ]
  }
}

/// `export.gguf`: writes a GGUF file, which llama.cpp and its relatives open.
public struct GGUFExportStage: ExportStage {
  /// `export.gguf`.
  public static let kind = "export.gguf"
  /// What the stage does.
  public static let summary = "Writes a GGUF file for llama.cpp and its relatives."
  /// A line of a recipe.
  public static let example = "export.gguf: { path: model-q4_0.gguf, type: q4_0 }"

  private let options: GGUFExportOptions

  /// Creates the stage.
  public init(_ options: GGUFExportOptions) { self.options = options }

  /// The file.
  public var exportPath: String? { options.path.path }

  /// The format with the stage's options.
  public var format: GGUFFormat {
    GGUFFormat(type: options.type, embedding: options.embedding, requantizes: options.requantize)
  }
}
