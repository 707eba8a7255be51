internal import CKernels
internal import Foundation
public import Models
public import Pipeline
internal import Sparsity
internal import Tensor

/// Among which weights the smallest are looked for.
public enum MagnitudeScope: String, RecipeChoice {
  case layer, row, global

  /// What the choice means.
  public var summary: String {
    switch self {
    case .layer: "among those of each layer, which all get the same sparsity"
    case .row: "among those of each output"
    case .global: "among those of all layers, which get what sparsity it leads to"
    }
  }
}

/// The options of `prune.magnitude`.
public struct MagnitudeOptions: StageOptions {
  /// How many zeros, where.
  public var zeros = SparsityOptions()
  /// Among which weights the smallest are looked for.
  public var scope = MagnitudeScope.layer

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<MagnitudeOptions>] {
    let shared = Field.fields(of: \MagnitudeOptions.zeros)
    return shared.prefix(2)
      + [
        .field("scope", \.scope, "Among which weights the smallest are looked for.")
      ] + shared.dropFirst(2)
  }

  /// Finds a fraction that contradicts the pattern, and a scope that a pattern cannot have.
  public func problems() -> [StageProblem] {
    var problems = zeros.problems()
    if scope != .layer && zeros.pattern != .unstructured {
      problems.append(
        StageProblem("only unstructured zeros can have a scope", option: "scope")
      )
    }
    return problems
  }
}

/// `prune.magnitude`: sets the smallest weights to zero.
///
///     - prune.magnitude: { sparsity: 0.3, scope: global }
///
/// Source: Han et al., *Learning both Weights and Connections for Efficient Neural Networks*,
/// 2015, arXiv:1506.02626.
public struct MagnitudeStage: Stage {
  /// `prune.magnitude`.
  public static let kind = "prune.magnitude"
  /// What the stage does.
  public static let summary = "Sets the smallest weights to zero, without calibration data."
  /// The model that later stages read has zeros.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example = "prune.magnitude: { sparsity: 0.3, pattern: unstructured }"

  private let options: MagnitudeOptions

  /// Creates the stage.
  public init(_ options: MagnitudeOptions) { self.options = options }

  /// Finds patterns without a match and matrices that a pattern does not divide; promises zeros.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    let problems = options.problems()
    guard problems.isEmpty else { return problems }
    // With a global scope each layer is promised the mean of all.
    return options.zeros.check(&promise)
  }

  /// Says what is selected.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    var plan = options.zeros.plan(promise)
    let count = options.zeros.selection.select(from: promise).reduce(0) { $0 + $1.shape.count }
    plan.seconds = Double(count) * 1e-8 * (options.scope == .global ? 2 : 1)
    return plan
  }

  /// Prunes matrix after matrix, storing each block when it is complete.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    var tally = SparsityTally()
    let zeros = options.zeros
    var threshold: MagnitudeThreshold?
    if options.scope == .global {
      threshold = try MagnitudeThreshold(model, zeros.selection, sparsity: zeros.fraction)
    }
    for (index, section) in model.sections.enumerated() {
      for linear in section.matrices where zeros.selection.selects(linear.name) {
        let weight = try finiteWeight(linear)
        let mask =
          threshold?.mask(weight)
          ?? Mask(
            weight,
            sparsity: zeros.fraction,
            pattern: zeros.pattern,
            scope: options.scope == .row ? .row : .matrix
          )
        let pruned = mask.applied(to: weight)
        linear.weight = DenseWeight(pruned.weight.converted(to: linear.format.elementType))
        tally.add(linear, ["relative_error": (pruned.gone, pruned.all)])
      }
      if case .block = section { try context.finishBlock(index, of: model.blocks.count) }
    }
    return tally.report
  }
}

/// The magnitude below which weights of several matrices go, found exactly without sorting them.
///
/// The order of magnitudes is that of their bits, which are counted by their upper half in one pass
/// and by their lower half, for the one upper half that matters, in another.
struct MagnitudeThreshold {
  private let bits: UInt32
  /// How many weights with just these bits still go.
  private var equals: Int64

  /// Looks through the selected matrices.
  init(_ model: LanguageModel, _ selection: WeightSelection, sparsity: Double) throws(PruneError) {
    func counts(_ upper: Int32) throws(PruneError) -> [Int64] {
      var counts = Array(repeating: Int64(0), count: 1 << 16)
      for section in model.sections {
        for linear in section.matrices where selection.selects(linear.name) {
          let weight = try finiteWeight(linear)
          counts.withUnsafeMutableBufferPointer { counts in
            slm_magnitude_counts(
              weight.unsafeBase.assumingMemoryBound(to: Float.self),
              Int64(weight.count),
              upper,
              counts.baseAddress
            )
          }
          withExtendedLifetime(weight) {}
        }
        section.release()
      }
      return counts
    }
    /// The bin in which the `target`-th count lies, and how many counts come before the bin.
    func bin(_ counts: [Int64], _ target: Int64) -> (index: Int, before: Int64) {
      var before: Int64 = 0
      for (index, count) in counts.enumerated() {
        if before + count > target { return (index, before) }
        before += count
      }
      return (counts.count - 1, before)
    }
    let upper = try counts(-1)
    let target = Int64(Mask.zeros(sparsity, of: Int(upper.reduce(0, +))))
    let high = bin(upper, target)
    let lower = try counts(Int32(high.index))
    let low = bin(lower, target - high.before)
    bits = UInt32(high.index) << 16 | UInt32(low.index)
    equals = target - high.before - low.before
  }

  /// Marks what goes of the next matrix in the model's order.
  mutating func mask(_ weight: Tensor) -> Mask {
    let marks = Tensor(uninitialized: weight.shape, dtype: .uint8)
    slm_mask_below(
      weight.unsafeBase.assumingMemoryBound(to: Float.self),
      Int64(weight.count),
      bits,
      &equals,
      marks.unsafeBase.assumingMemoryBound(to: UInt8.self)
    )
    withExtendedLifetime(weight) {}
    return Mask(marks: marks)
  }
}
