internal import Foundation
internal import Models
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
  /// A file of the columns' importance.
  public var imatrix: InputPath?

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
          + "quantized, and otherwise get what llama.cpp has for them in a mixture such as "
          + "`q4_k_m`, or else `type`, but no less than `q8_0`."
      ),
      .field(
        "requantize",
        \.requantize,
        "Whether a quantized matrix that the type cannot hold exactly may be rounded a second "
          + "time. The largest change is reported."
      ),
      .field(
        "imatrix",
        \.imatrix,
        "An importance matrix of llama.cpp (`llama-imatrix`, GGUF or `.dat`), by which blocks are "
          + "fitted to the columns that matter. Matrices that it does not have are rounded "
          + "without."
      ),
    ]
  }
}

/// `export.gguf`: writes a GGUF file, which llama.cpp and its relatives open.
///
/// The types with a `k` and the `iq4` types are llama.cpp's presets: matrices that suffer more get
/// a format with more bits, and where 256 does not divide a row, one with blocks of 32. The bytes
/// are those that `llama-quantize` writes, with an importance matrix or without.
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

  /// The format with the stage's options, its importance matrix not read.
  public var format: GGUFFormat {
    GGUFFormat(
      type: options.type,
      embedding: options.embedding,
      requantizes: options.requantize,
      importancePath: options.imatrix?.path
    )
  }

  /// The format with the importance matrix.
  public func format(_ paths: RecipePaths) throws -> GGUFFormat {
    var format = format
    format.importance = try options.imatrix.map { try ImportanceMatrix(contentsOf: $0.url(paths)) }
    return format
  }

  /// An importance matrix that cannot be read, or that is of another model.
  public func checkFiles(_ promise: ModelPromise, _ paths: RecipePaths) -> [StageProblem] {
    // That a file is not there is found before.
    guard let url = options.imatrix?.url(paths), FileManager.default.fileExists(atPath: url.path)
    else { return [] }
    do {
      let format = try format(paths)
      guard let importance = format.importance else { return [] }
      return format.importanceProblems(importance, promise).map {
        StageProblem($0.message, option: "imatrix")
      }
    } catch {
      return [StageProblem(RunError.text(error), option: "imatrix")]
    }
  }
}
