internal import Calibrate
internal import Foundation
internal import Models
public import Pipeline
internal import Sparsity
internal import Tensor

/// How many zeros each block gets.
public enum SparsityAllocation: String, RecipeChoice {
  case uniform, outliers

  /// What the choice means.
  public var summary: String {
    switch self {
    case .uniform: "all the same fraction"
    case .outliers:
      "fewer where more scores stand out from the others, for the same mean: up to 0.16 between the "
        + "blocks with the fewest and the most; takes another pass over the text"
    }
  }

  /// Finds that a pattern leaves nothing to allocate.
  func problems(_ zeros: SparsityOptions) -> [StageProblem] {
    guard self == .outliers, zeros.pattern.sparsity != nil else { return [] }
    return [
      StageProblem(
        "\(zeros.pattern.recipeText) means the same number of zeros everywhere",
        option: "allocation"
      )
    ]
  }

  /// The fraction of zeros for each block, `[L]`.
  ///
  /// Source of `outliers`: Yin et al., *Outlier Weighed Layerwise Sparsity* (OWL), 2023,
  /// arXiv:2310.05175, equation 2 with M = 5 and λ = 0.08, by blocks. Differs from it in that the
  /// mean is over weights, so that the asked number of zeros results.
  func fractions(
    _ zeros: SparsityOptions,
    _ model: LanguageModel,
    _ set: CalibrationSet,
    _ calibration: CalibrationOptions,
    _ context: StageContext
  ) throws -> [Double] {
    let count = model.blocks.count
    guard self == .outliers else { return Array(repeating: zeros.fraction, count: count) }
    let walk = try BlockWalk(
      model,
      set,
      memoryByteCount: calibration.memory.byteCount,
      scratch: context.stateFolder
    )
    var shares: [Double] = []
    var sizes: [Double] = []
    for block in model.blocks {
      var (outliers, weights) = (0, 0)
      try walk.walkBlock(collecting: .squares) { group in
        let factors = group.statistics.sumsOfSquares.map { Float($0.squareRoot()) }
        for linear in group.linears where zeros.selection.selects(linear.name) {
          let scores = Mask.scores(try finiteWeight(linear), factors)
          let limit = Float(5 * scores.mean())
          outliers += Mask.count(scores, above: limit)
          weights += scores.count
        }
      }
      block.release()
      shares.append(Double(outliers) / Double(max(1, weights)))
      sizes.append(Double(weights))
      context.progress(block.index + 1, of: count, unit: "blocks", "counting outliers")
    }
    return Self.fractions(zeros.fraction, shares: shares, sizes: sizes)
  }

  /// Fractions around a mean: the block with the fewest outliers gets the most zeros.
  ///
  /// Blocks without weights, in which nothing is selected, have no part in it.
  static func fractions(_ mean: Double, shares: [Double], sizes: [Double]) -> [Double] {
    let counted = shares.indices.filter { sizes[$0] > 0 }.map { shares[$0] }
    guard let least = counted.min(), let most = counted.max(), most > least else {
      return shares.map { _ in mean }
    }
    let reach = min(0.08, mean, 1 - mean)
    let raw = shares.map { -2 * reach * ($0 - least) / (most - least) }
    let total = sizes.reduce(0, +)
    let limit = max(0.999, mean)
    func fractions(_ shift: Double) -> [Double] { raw.map { min(limit, max(0, $0 + shift)) } }
    func meanFraction(_ fractions: [Double]) -> Double {
      zip(fractions, sizes).reduce(0) { $0 + $1.0 * $1.1 } / total
    }
    // Around another mean than the middle one side is longer, and may end at a bound: what it cannot
    // take the others do.
    var (low, high) = (mean - meanFraction(raw), mean + 2 * reach)
    guard abs(meanFraction(fractions(low)) - mean) > 1e-12 else { return fractions(low) }
    low = 0
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if meanFraction(fractions(middle)) < mean { low = middle } else { high = middle }
    }
    return fractions(high)
  }
}
