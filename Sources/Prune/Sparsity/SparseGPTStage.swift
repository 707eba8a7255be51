public import Calibrate
internal import Foundation
public import Models
public import Pipeline
internal import Sparsity
internal import Tensor

/// The options of `prune.sparsegpt`.
public struct SparseGPTOptions: StageOptions {
  /// How many zeros, where.
  public var zeros = SparsityOptions()
  /// How many zeros each layer gets.
  public var allocation = SparsityAllocation.uniform
  /// What keeps corrections stable.
  public var damping = 0.01
  /// The text.
  public var calibration = CalibrationOptions()

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<SparseGPTOptions>] {
    let shared = Field.fields(of: \SparseGPTOptions.zeros)
    return shared.prefix(2)
      + [
        .field("allocation", \.allocation, "How many zeros each block gets."),
        .field(
          "damping",
          \.damping,
          in: ValueRange.above(0, through: 1),
          "How strongly corrections are held back, as a fraction of the mean square of the inputs."
        ),
      ]
      + shared.dropFirst(2)
      + [.field("calibration", \.calibration, "The text on which inputs are measured.")]
  }

  /// Finds a fraction or an allocation that contradicts the pattern.
  public func problems() -> [StageProblem] {
    zeros.problems() + allocation.problems(zeros)
  }
}

/// `prune.sparsegpt`: sets weights to zero and corrects the others for it.
///
///     - prune.sparsegpt: { sparsity: 0.5 }
///     - prune.sparsegpt: { pattern: 2:4 }
///
/// With `N:M`, groups of columns with strong inputs are taken first, so that weaker ones make up for
/// them.
///
/// Slower than `prune.wanda`, and nearer to the original from about half zeros on and with patterns.
public struct SparseGPTStage: CalibratedStage {
  /// `prune.sparsegpt`.
  public static let kind = "prune.sparsegpt"
  /// What the stage does.
  public static let summary =
    "Sets weights to zero one column after another, and corrects the others for what is lost."
  /// The model that later stages read has zeros.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example = "prune.sparsegpt: { pattern: 2:4 }"

  private let options: SparseGPTOptions

  /// Creates the stage.
  public init(_ options: SparseGPTOptions) { self.options = options }

  /// Finds patterns without a match and matrices that a pattern does not divide; promises zeros.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    CalibratedSparsity(options.zeros, options.allocation, options.calibration).check(&promise)
  }

  /// The calibration text.
  public var calibration: CalibrationOptions? { options.calibration }

  /// The inputs of the widest layer.
  public func unknownCount(_ promise: ModelPromise) -> Int {
    CalibratedSparsity(options.zeros, options.allocation, options.calibration)
      .unknownCount(promise)
  }

  /// Says what is selected, and estimates time and memory.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    var plan = options.zeros.plan(promise)
    let pass = forwardSeconds(promise, tokens: options.calibration.tokenCount)
    // Three products with the Gram matrix and its factorization, in float64.
    let products = options.zeros.selection.select(from: promise).reduce(0.0) { sum, part in
      let (rows, columns) = (Double(part.shape.rows), Double(part.shape.columns))
      return sum + 6 * rows * columns * columns + 2 * columns * columns * columns
    }
    plan.seconds = (options.allocation == .uniform ? 3 : 4.3) * pass + products / 20e9
    let walk = options.calibration.peakByteCount(promise, collectsGram: true)
    plan.peakByteCount = (plan.peakByteCount ?? 0) + walk
    return plan
  }

  /// Prunes layer after layer, storing each block when it is complete.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let zeros = options.zeros
    // Every group loses as many. Without groups, columns that matter less than others lose more, if
    // those are among the same 128.
    var group: Int?
    if case .groups(_, let size) = zeros.pattern { group = size }
    var tally = SparsityTally()
    try CalibratedSparsity(zeros, options.allocation, options.calibration)
      .walk(model, context, collecting: .gram) { linears, statistics, fraction in
        guard let first = linears.first, let gram = statistics.gram else { return }
        let factor = try SparseGPTFactor(
          gram,
          damping: options.damping,
          sortedBy: group,
          layer: first.name
        )
        for linear in linears {
          let pruned = sparseGPT(
            try finiteWeight(linear),
            gram: gram,
            factor: factor,
            sparsity: fraction,
            pattern: zeros.pattern
          )
          linear.weight = DenseWeight(pruned.weight.converted(to: linear.format.elementType))
          tally.add(linear, ["output_error": pruned.outputError])
        }
      }
    return tally.report
  }
}
