internal import Foundation
public import Pipeline
public import Sparsity

/// Zeros that grow in number while the others are trained.
///
///     s(t) = sparsity + (from − sparsity) · (1 − (t − start) / (end − start))³
///
/// After `t` steps, every `every` of them and at the end, the weights of the least magnitude in each
/// matrix are set to zero, so that a fraction `s(t)` is, and stay zero from then on. Rows of `N:M`
/// are approached likewise: of the weights that the pattern would set to zero the least go first.
///
/// Source: Zhu and Gupta, *To prune, or not to prune: exploring the efficacy of pruning for model
/// compression*, 2017, arXiv:1710.01878, equation 1. Differs from it in that what is zero does not
/// come back, as its gradient is masked too.
public struct GradualPruning: OptionGroup {
  /// The fraction of zeros in the end; nil for what the pattern says, or half.
  public var sparsity: Double?
  /// Where zeros may lie.
  public var pattern = SparsityPattern.unstructured
  /// The fraction of zeros in the beginning.
  public var from = 0.0
  /// The part of the steps before the first zeros.
  public var start = 0.0
  /// The part of the steps after which all zeros are there.
  public var end = 0.6
  /// Steps from one choice of zeros to the next.
  public var every = 20
  /// Which matrices.
  public var selection = WeightSelection()

  /// Creates the defaults: half of the weights of every layer of the blocks, anywhere.
  public init() {}

  /// The options.
  public static var fields: [Field<GradualPruning>] {
    [
      .field(
        "sparsity",
        \.sparsity,
        in: 0..<1,
        "The fraction of zeros in the end. Half if nothing is said; `N:M` says it itself."
      ),
      .field("pattern", \.pattern, SparsityPattern.summary),
      .field("from", \.from, in: 0..<1, "The fraction of zeros in the beginning."),
      .field("start", \.start, in: 0..<1, "The part of the steps before the first zeros."),
      .field(
        "end",
        \.end,
        in: .above(0.0, through: 1),
        "The part of the steps after which all zeros are there; the others recover with them."
      ),
      .field("every", \.every, in: 1..., "Steps from one choice of zeros to the next."),
    ] + Field.fields(of: \.selection)
  }

  /// Finds fractions that contradict each other or the pattern.
  public func problems() -> [StageProblem] {
    var problems: [StageProblem] = []
    if let objection = pattern.objection(to: sparsity) {
      problems.append(StageProblem(objection, option: "sparsity"))
    }
    if from > fraction {
      problems.append(
        StageProblem("is more than the \(fraction) that are zero in the end", option: "from")
      )
    }
    if start >= end {
      problems.append(StageProblem("comes after `end`, which is \(end)", option: "start"))
    }
    return problems
  }

  /// The fraction of zeros in the end.
  package var fraction: Double { sparsity ?? pattern.sparsity ?? 0.5 }

  /// Steps after which all zeros are there.
  package func lastStep(of steps: Int) -> Int { max(1, Int((end * Double(steps)).rounded())) }

  /// Steps after which the first zeros are set.
  package func firstStep(of steps: Int) -> Int {
    min(lastStep(of: steps) - 1, Int((start * Double(steps)).rounded()))
  }

  /// The fraction of zeros to set after so many steps; nil if none are set then.
  package func fraction(after done: Int, of steps: Int) -> Double? {
    let (first, last) = (firstStep(of: steps), lastStep(of: steps))
    guard done != last else { return fraction }
    guard done != first else { return from }
    guard (first..<last).contains(done), (done - first) % every == 0 else { return nil }
    let left = 1 - Double(done - first) / Double(last - first)
    return fraction + (from - fraction) * pow(left, 3)
  }

  /// Finds matrices that cannot be pruned while they are trained.
  ///
  /// - Parameters:
  ///   - promise: The model before the training.
  ///   - trained: The names of what is trained.
  /// - Returns: The problems.
  func check(_ promise: ModelPromise, trained: Set<String>) -> [StageProblem] {
    let problems = selection.check(promise).map {
      StageProblem($0.message, option: $0.option.map { "prune.\($0)" } ?? "prune")
    }
    guard problems.isEmpty else { return problems }
    let parts = selection.select(from: promise)
    if let objection = pattern.objection(to: parts) {
      return [StageProblem(objection, option: "prune.pattern")]
    }
    guard let first = parts.first(where: { !trained.contains($0.name) }) else { return [] }
    return [
      StageProblem(
        "`\(first.name)` is to be pruned and is not trained; select the same parts, or use "
          + "`prune.magnitude` before the training",
        option: "prune"
      )
    ]
  }
}
