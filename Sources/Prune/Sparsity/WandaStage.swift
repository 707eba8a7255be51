public import Calibrate
internal import Foundation
public import Models
public import Pipeline
internal import Sparsity
internal import Tensor

/// The options of `prune.wanda`.
public struct WandaOptions: StageOptions {
  /// How many zeros, where.
  public var zeros = SparsityOptions()
  /// How many zeros each layer gets.
  public var allocation = SparsityAllocation.uniform
  /// The text.
  public var calibration = CalibrationOptions()

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<WandaOptions>] {
    let shared = Field.fields(of: \WandaOptions.zeros)
    return shared.prefix(2)
      + [.field("allocation", \.allocation, "How many zeros each block gets.")]
      + shared.dropFirst(2)
      + [.field("calibration", \.calibration, "The text on which inputs are measured.")]
  }

  /// Finds a fraction or an allocation that contradicts the pattern.
  public func problems() -> [StageProblem] {
    zeros.problems() + allocation.problems(zeros)
  }
}

/// `prune.wanda`: sets weights to zero that are small or whose inputs are.
///
///     - prune.wanda: { sparsity: 0.5 }
///     - prune.wanda: { pattern: 2:4, calibration: { sequences: 32 } }
///
/// A weight's score is its magnitude times the root of the sum of squares of its input over the
/// text; in each row the least scores go. Inputs are those that the layer has after the layers
/// before it were pruned.
///
/// Source: Sun, Liu, Bair and Kolter, *A Simple and Effective Pruning Approach for Large Language
/// Models*, 2023, arXiv:2306.11695, section 3. Differs from its implementation in pruning the layers
/// inside a block one after another, and in counting exactly where a row's length times the sparsity
/// is no whole number.
public struct WandaStage: CalibratedStage {
  /// `prune.wanda`.
  public static let kind = "prune.wanda"
  /// What the stage does.
  public static let summary = "Sets weights to zero that matter least for the layer's real inputs."
  /// The model that later stages read has zeros.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example = "prune.wanda: { sparsity: 0.5, pattern: unstructured }"

  private let options: WandaOptions

  /// Creates the stage.
  public init(_ options: WandaOptions) { self.options = options }

  /// Finds patterns without a match and matrices that a pattern does not divide; promises zeros.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    CalibratedSparsity(options.zeros, options.allocation, options.calibration).check(&promise)
  }

  /// The calibration text.
  public var calibration: CalibrationOptions? { options.calibration }

  /// Says what is selected, and estimates time and memory.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    var plan = options.zeros.plan(promise)
    let tokens = options.calibration.tokenCount
    let pass = forwardSeconds(promise, tokens: tokens)
    let count = Double(promise.parameterCount)
    plan.seconds = (options.allocation == .uniform ? 1.3 : 2.6) * pass + count * 2e-8
    let walk = options.calibration.peakByteCount(promise, collectsGram: false)
    plan.peakByteCount = (plan.peakByteCount ?? 0) + walk
    return plan
  }

  /// Prunes layer after layer, storing each block when it is complete.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let zeros = options.zeros
    var tally = SparsityTally()
    try CalibratedSparsity(zeros, options.allocation, options.calibration)
      .walk(model, context, collecting: .squares) { linears, statistics, fraction in
        for linear in linears {
          let pruned = wanda(
            try finiteWeight(linear),
            sumsOfSquares: statistics.sumsOfSquares,
            sparsity: fraction,
            pattern: zeros.pattern
          )
          linear.weight = DenseWeight(pruned.weight.converted(to: linear.format.elementType))
          tally.add(linear, ["relative_error": pruned.error, "score_lost": pruned.score])
        }
      }
    return tally.report
  }
}

/// A pruned matrix and what was lost.
struct WandaResult {
  /// The matrix with zeros, `float32`.
  let weight: Tensor
  /// The squared norm of what went, and of the matrix.
  let error: (error: Double, all: Double)
  /// The squared scores of what went, and of the matrix: the output's error if inputs were
  /// independent.
  let score: (error: Double, all: Double)
}

/// Sets the weights of a matrix to zero that matter least for its inputs.
///
///     score = |w| · √(Σ x²)
///
/// - Parameters:
///   - weight: The matrix, `[outputs, inputs]`, `float32`.
///   - sumsOfSquares: `Σ x²` of each input, `[inputs]`.
///   - sparsity: The fraction that goes; `N:M` says it itself.
///   - pattern: Where zeros may lie.
/// - Returns: The pruned matrix; other weights are as they were.
func wanda(
  _ weight: Tensor,
  sumsOfSquares: [Double],
  sparsity: Double,
  pattern: SparsityPattern
) -> WandaResult {
  let factors = sumsOfSquares.map { Float($0.squareRoot()) }
  let mask = Mask(weight, factors: factors, sparsity: sparsity, pattern: pattern, scope: .row)
  let pruned = mask.applied(to: weight)
  let before = weight.columnSums(squared: true).elements(as: Double.self)
  let after = pruned.weight.columnSums(squared: true).elements(as: Double.self)
  var score = (error: 0.0, all: 0.0)
  for (column, square) in sumsOfSquares.enumerated() {
    score.error += (before[column] - after[column]) * square
    score.all += before[column] * square
  }
  return WandaResult(weight: pruned.weight, error: (pruned.gone, pruned.all), score: score)
}
