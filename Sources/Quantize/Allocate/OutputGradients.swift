internal import Calibrate
internal import Foundation
internal import Models
internal import Tensor

/// How steeply a text's log-likelihood depends on the outputs of layers.
struct OutputGradients {
  let model: LanguageModel
  /// Sequences of token ids, all of one length.
  let sequences: [[Int32]]
  /// The names of the layers of blocks that are asked for.
  let selected: Set<String>
  /// The most memory for residual streams; beyond it they are in a file.
  let memoryByteCount: Int
  /// The folder of that file.
  let scratch: URL

  /// Walks back through the model.
  ///
  /// - Parameter progress: Called with the number of blocks that are done.
  /// - Returns: For each selected layer the mean square over tokens of the gradient of the sum of
  ///   log-likelihoods by each output, `[outputs]`, `float64`.
  /// - Throws: ``QuantizeError`` if a loss is not finite, `CalibrateError` if streams cannot be
  ///   kept.
  /// - Complexity: Two passes forwards and one backwards, one block in memory.
  func meanSquares(progress: (_ done: Int) -> Void) throws -> [String: Tensor] {
    let sums = SquareSums()
    let linears = model.linears.filter { selected.contains($0.name) }
    let tokenCount = sequences.reduce(0) { $0 + $1.count }
    let walk = try GradientWalk(
      model,
      sequences,
      memoryByteCount: memoryByteCount,
      scratch: scratch
    )
    try walk.walkLoss([], weight: Double((sequences.first?.count ?? 1) - 1)) { _, loss, _ in
      guard loss.isFinite else { throw QuantizeError.notFinite(.weight, "model") }
    }
    for linear in linears {
      linear.outputProbe = { [name = linear.name] y in
        y.detached.recorded("output probe", [y]) { gradient, _ in
          sums.add(gradient, name)
          return [gradient]
        }
      }
    }
    defer { for linear in linears { linear.outputProbe = nil } }
    while walk.nextBlock != nil {
      try walk.walkBlock([]) { _, _ in }
      progress(model.blocks.count - (walk.nextBlock.map { $0.index + 1 } ?? 0))
    }
    return sums.values.mapValues { $0.scaled(by: 1 / Double(tokenCount)) }
  }

  /// Sums of squares of gradients by layer.
  private final class SquareSums {
    private(set) var values: [String: Tensor] = [:]

    func add(_ gradient: Tensor, _ name: String) {
      let squares = gradient.columnSums(squared: true)
      values[name] = values[name].map { $0 + squares } ?? squares
    }
  }
}
