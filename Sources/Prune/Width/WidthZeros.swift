internal import Models
internal import Pipeline
internal import Sparsity

/// What narrowing leaves of the zeros that earlier stages have promised.
extension WidthOptions {
  /// Whether the sizes along an axis may change.
  private func narrows(_ axis: WidthAxis) -> Bool {
    guard parametersAtMost == nil else { return axes.contains(axis) }
    return switch axis {
    case .feedForward: feedForward != nil
    case .heads: heads != nil
    case .hidden: hidden != nil
    }
  }

  /// Takes back what was promised of the zeros of projections that are refitted: least squares fill
  /// them.
  func fillZeros(_ promise: inout ModelPromise) {
    guard compensate else { return }
    var endings: [String] = []
    if narrows(.feedForward) { endings.append(".mlp.down_proj") }
    if narrows(.heads) { endings.append(".self_attn.o_proj") }
    let names = promise.linears.map(\.name).filter { name in
      endings.contains(where: name.hasSuffix)
    }
    promise.update(Set(names)) { part in
      part.sparsity = 0
      part.zeroPattern = nil
    }
  }

  /// What a plan says of zeros and patterns that a narrower model no longer has.
  func zeroNotes(_ promise: ModelPromise, narrower: ModelPromise) -> [String] {
    let pairs = zip(promise.parts, narrower.parts)
    let filled = pairs.filter { PrunedMatrix.isPromised($0) && $1.sparsity == 0 }.map(\.0.name)
    let broken = pairs.filter { $0.zeroPattern != nil && $1.zeroPattern == nil && $1.sparsity > 0 }
      .map(\.0.name)
    return [
      PrunedMatrix.note(
        on: filled,
        "are lost: they are refitted to what remains; prune after this stage, or turn "
          + "`compensate` off"
      ),
      PrunedMatrix.note(
        on: broken,
        "lose their pattern with the columns that go; prune after this stage"
      ),
    ].compactMap(\.self)
  }
}
