public import Calibrate
public import Pipeline
public import Sparsity

/// What is pruned at a time in a scan.
public enum ScanUnit: String, RecipeChoice {
  case block, matrix

  /// What the choice means.
  public var summary: String {
    switch self {
    case .block: "all selected layers of a block together"
    case .matrix: "each layer alone; as many times slower as a block has layers"
    }
  }
}

/// The options of `prune.scan`.
public struct ScanOptions: StageOptions {
  /// The fractions of zeros that are tried.
  public var sparsities = [0.3, 0.5, 0.7]
  /// Where zeros may lie.
  public var pattern = SparsityPattern.unstructured
  /// What is pruned at a time.
  public var by = ScanUnit.block
  /// Which layers.
  public var selection = WeightSelection()
  /// The text.
  public var calibration: CalibrationOptions = {
    var options = CalibrationOptions()
    options.sequences = 4
    options.length = 256
    return options
  }()

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<ScanOptions>] {
    [
      .field(
        "sparsities",
        \.sparsities,
        "The fractions of zeros that are tried, each between 0 and 1; `N:M` says its own instead."
      ),
      .field("pattern", \.pattern, SparsityPattern.summary),
      .field("by", \.by, "What is pruned at a time, everything else being as it was."),
    ] + Field.fields(of: \.selection)
      + Field.fields(of: \ScanOptions.calibration).filter { $0.key != "memory" }
  }

  /// Finds fractions that are none.
  public func problems() -> [StageProblem] {
    guard pattern.sparsity == nil else { return [] }
    if sparsities.isEmpty {
      return [StageProblem("no fraction is to be tried", option: "sparsities")]
    }
    for (index, sparsity) in sparsities.enumerated() {
      if !(sparsity > 0 && sparsity < 1) {
        return [StageProblem("\(sparsity) is not between 0 and 1", option: "sparsities.\(index)")]
      }
      if sparsities[..<index].contains(sparsity) {
        return [StageProblem("\(sparsity) is there twice", option: "sparsities.\(index)")]
      }
    }
    return []
  }

  /// The fractions that are tried.
  var fractions: [Double] { pattern.sparsity.map { [$0] } ?? sparsities }
}
