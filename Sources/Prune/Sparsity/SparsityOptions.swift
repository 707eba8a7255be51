internal import Models
public import Pipeline
public import Sparsity
internal import Tensor

/// How many zeros, where, and in which layers: shared by the stages that set weights to zero.
public struct SparsityOptions: OptionGroup {
  /// The fraction of weights set to zero; nil for what the pattern says, or half.
  public var sparsity: Double?
  /// Where zeros may lie.
  public var pattern = SparsityPattern.unstructured
  /// Which layers.
  public var selection = WeightSelection()

  /// Creates the defaults: half of the weights of every layer of the blocks, anywhere.
  public init() {}

  /// The options.
  public static var fields: [Field<SparsityOptions>] {
    [
      .field(
        "sparsity",
        \.sparsity,
        in: 0..<1,
        "The fraction of weights set to zero. Half if nothing is said; `N:M` says it itself."
      ),
      .field("pattern", \.pattern, SparsityPattern.summary),
    ] + Field.fields(of: \.selection)
  }

  /// Finds a fraction that contradicts the pattern.
  public func problems() -> [StageProblem] {
    pattern.objection(to: sparsity).map { [StageProblem($0, option: "sparsity")] } ?? []
  }

  /// The fraction of weights set to zero.
  public var fraction: Double { sparsity ?? pattern.sparsity ?? 0.5 }

  /// Finds patterns without a match and matrices that a pattern does not divide; promises zeros.
  func check(_ promise: inout ModelPromise) -> [StageProblem] {
    let problems = problems() + selection.check(promise)
    guard problems.isEmpty else { return problems }
    let parts = selection.select(from: promise)
    if let objection = pattern.objection(to: parts) {
      return [StageProblem(objection, option: "pattern")]
    }
    promise.update(Set(parts.map(\.name))) { part in
      part.format = .elements(part.format.elementType)
      part.sparsity = max(part.sparsity, fraction)
      part.zeroPattern = pattern.zeroPattern ?? (part.sparsity > fraction ? part.zeroPattern : nil)
    }
    return []
  }

  /// What is selected, with a remark on quantized weights.
  func plan(_ promise: ModelPromise) -> StagePlan {
    let parts = selection.select(from: promise)
    let quantized = parts.filter { if case .elements = $0.format { false } else { true } }
    var notes: [String] = []
    if !quantized.isEmpty {
      notes.append(
        "\(Wording.count(quantized.count, "matrix is", "matrices are")) quantized and will be "
          + "widened to float32; quantize after pruning instead"
      )
    }
    let largest = promise.largestSection { selection.selects($0.name) ? $0.shape.count * 4 : 0 }
    return StagePlan(
      matches: selection.matches(in: promise),
      peakByteCount: promise.peakByteCount(making: largest),
      notes: notes
    )
  }
}
