internal import Calibrate
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor

/// Collects the importance matrix of the inputs that a walk sees.
struct CollectedImportance {
  /// What the file in a stage's folder is called.
  static let fileName = "imatrix.gguf"
  /// What the option `write_imatrix` of a stage means.
  static let summary =
    "Whether the mean squares of the layers' inputs are written too, to `imatrix.gguf` in the "
    + "stage's folder: an importance matrix for `llama-quantize` and `export.gguf`. Embedding "
    + "and tied head have no entry, a head of its own if it is quantized."

  private(set) var matrix: ImportanceMatrix

  /// Begins to collect for sequences.
  init(_ set: CalibrationSet) {
    matrix = ImportanceMatrix(
      datasets: [set.name],
      chunkCount: set.sequences.count,
      chunkSize: set.length
    )
  }

  /// Adds layers that share an input.
  mutating func add(_ linears: [Linear], _ statistics: InputStatistics) {
    let sums = Tensor(statistics.sumsOfSquares.map { Float($0) })
    for linear in linears {
      matrix[linear.name] = ImportanceMatrix.Entry(
        sumsOfSquares: sums,
        count: statistics.rowCount
      )
    }
  }

  /// Writes the file, which appears under its name when it is complete.
  func write(_ context: StageContext) throws {
    let url = context.folder.appending(path: Self.fileName)
    try matrix.write(to: url)
    context.note("the importance of \(matrix.entries.count) layers' inputs is in \(url.path)")
  }
}
