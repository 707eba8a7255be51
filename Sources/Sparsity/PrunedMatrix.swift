package import Models
package import Pipeline
internal import Tensor

/// Which matrices count as pruned, so that stages that change weights leave their zeros.
package enum PrunedMatrix {
  /// A matrix with fewer zeros than this fraction has them by chance.
  package static let leastSparsity = 0.05

  /// The fraction of zeros of a layer's weight, if it is pruned; nil if it is not.
  ///
  /// Only numbers stored as elements are: codes that stand for zero are no pruning.
  ///
  /// - Complexity: A pass over the matrix, in slices.
  package static func sparsity(of linear: Linear) -> Double? {
    guard case .elements = linear.format, linear.rows * linear.columns > 0 else { return nil }
    let matrix = linear.weight.matrix
    var zeros = 0
    for start in stride(from: 0, to: matrix.rows, by: 1024) {
      zeros += matrix.rows(start..<min(matrix.rows, start + 1024)).widened().zeroCount
    }
    let sparsity = Double(zeros) / Double(matrix.rows * matrix.columns)
    return sparsity >= leastSparsity ? sparsity : nil
  }

  /// What a plan says of matrices whose zeros do not outlast a stage as they are.
  ///
  /// - Parameters:
  ///   - names: The matrices.
  ///   - fate: What becomes of their zeros and why, such as “are lost: `keep_zeros` is off”.
  /// - Returns: A remark; nil if there are no such matrices.
  package static func note(on names: [String], _ fate: String) -> String? {
    names.first.map {
      "zeros of \(Wording.count(names.count, "matrix", "matrices")) such as `\($0)` \(fate)"
    }
  }

  /// Whether stages have promised of a part that it is pruned.
  package static func isPromised(_ part: ModelPromise.Part) -> Bool {
    guard case .elements = part.format else { return false }
    return part.isLinear && part.sparsity >= leastSparsity
  }
}
