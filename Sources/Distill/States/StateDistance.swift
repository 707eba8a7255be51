public import Pipeline
package import Tensor

/// How the distance of a student's states from the teacher's is measured.
public enum StateDistance: String, RecipeChoice {
  case relative
  case meanSquared = "mean_squared"
  case cosine

  /// What the choice means.
  public var summary: String {
    switch self {
    case .relative: "the squared distance as a part of the teacher's squared length"
    case .meanSquared: "the squared distance by channels: a few large channels decide"
    case .cosine: "1 less the cosine of the angle between both"
    }
  }

  /// Returns the mean distance over the positions that count.
  ///
  /// - Parameters:
  ///   - states: The student's, `[..., D]` with `M` rows.
  ///   - teacher: The teacher's, of the same shape, a constant.
  ///   - targets: Negative for a position that does not count, `[M]`.
  /// - Returns: `[]`, 0 if no position counts.
  package func mean(_ states: Tensor, _ teacher: Tensor, targets: [Int32]) -> Tensor {
    let (rows, width) = (states.shape.rows, states.shape.columns)
    require(
      targets.count == rows && teacher.shape.rows == rows && teacher.shape.columns == width,
      "state distance: \(states.shape), \(teacher.shape) and \(targets.count) targets"
    )
    let x = states.reshaped([rows, width])
    let t = teacher.detached.reshaped([rows, width])
    let count = Double(targets.count { $0 >= 0 })
    let shares = targets.map { $0 >= 0 ? 1 / count : 0 }
    if self == .cosine {
      let weights = Tensor(shares, shape: [rows]).converted(to: x.dtype)
      let cosines = (x.cosineSimilarity(t) * weights).summed()
      let all = Tensor([count > 0 ? 1.0 : 0], shape: []).converted(to: x.dtype)
      return all - cosines
    }
    var factors = shares.map { ($0 / Double(width)).squareRoot() }
    if self == .relative {
      let lengths = (t * t).rowSums().converted(to: .float64).elements(as: Double.self)
      // A state of zeros has no length to compare with; it does not count.
      factors = zip(shares, lengths).map { $1 > 0 ? ($0 / $1).squareRoot() : 0 }
    }
    let difference = (x - t) * Tensor(factors, shape: [rows, 1]).converted(to: x.dtype)
    return (difference * difference).summed()
  }
}
