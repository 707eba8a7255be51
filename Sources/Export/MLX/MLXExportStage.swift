public import Pipeline

/// The options of `export.mlx`.
public struct MLXExportOptions: StageOptions {
  /// The folder.
  public var path = ExportPath("")
  /// The type of scales, biases and all other numbers.
  public var type: ElementType?
  /// Whether scales and biases may be rounded.
  public var rounding = RoundingRule.refused
  /// The most bytes of tensors in one file.
  public var maxShardSize = ByteSize(5_000_000_000)

  /// Creates the default options.
  public init() {}

  /// The options.
  public static var fields: [Field<MLXExportOptions>] {
    [
      .required("path", \.path, "The folder to write."),
      .field(
        "type",
        \.type,
        "The type of scales, biases and all numbers that are not quantized; by default the type of "
          + "the scales."
      ),
      .field(
        "rounding",
        \.rounding,
        "Whether scales, and the biases that zero points become, may be rounded to the type."
      ),
      .field("max_shard_size", \.maxShardSize, "The most bytes of tensors in one file."),
    ]
  }
}

/// `export.mlx`: writes a folder with quantized weights that mlx-lm and Swift programs open.
public struct MLXExportStage: ExportStage {
  /// `export.mlx`.
  public static let kind = "export.mlx"
  /// What the stage does.
  public static let summary =
    "Writes a folder with integer codes in the format of MLX, for Apple silicon."
  /// A line of a recipe.
  public static let example = "export.mlx: { path: model-mlx }"

  private let options: MLXExportOptions

  /// Creates the stage.
  public init(_ options: MLXExportOptions) { self.options = options }

  /// The folder.
  public var exportPath: String? { options.path.path }

  /// The format with the stage's options.
  public var format: MLXFormat {
    MLXFormat(
      type: options.type,
      rounding: options.rounding,
      maximumShardByteCount: options.maxShardSize.byteCount
    )
  }
}
