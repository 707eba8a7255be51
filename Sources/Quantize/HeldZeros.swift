internal import Models
internal import Pipeline
internal import Sparsity
internal import Tensor

/// Whether zeros of a pruned matrix can be held while it is quantized.
extension QuantizationTarget {
  /// Whether every group has a code for exactly zero, whatever its scale is.
  package var hasExactZero: Bool {
    switch self {
    case .groups(let grid): grid.zero != .offset
    case .blocks(let format): !format.grid.hasOffsets && format.grid.levels.contains(0)
    }
  }
}

/// What a plan says of the zeros that stages have promised of the matrices that are quantized.
struct ZeroNotes {
  private var held: [String] = []
  private var lost: [(name: String, reason: String)] = []

  /// Takes a matrix, before its promise is changed.
  mutating func add(_ part: ModelPromise.Part, _ target: QuantizationTarget?, keepsZeros: Bool) {
    guard PrunedMatrix.isPromised(part), let target else { return }
    if keepsZeros, target.hasExactZero {
      held.append(part.name)
    } else if target.hasExactZero {
      lost.append((part.name, "`keep_zeros` is off"))
    } else if case .blocks(let format) = target {
      lost.append((part.name, "blocks of \(format.name) have no exact zero"))
    } else {
      lost.append((part.name, "groups with offsets have no exact zero; use `zero: symmetric`"))
    }
  }

  /// Takes a matrix that loses its zeros, before its promise is changed.
  mutating func add(_ part: ModelPromise.Part, losing reason: String) {
    guard part.isLinear, part.sparsity >= PrunedMatrix.leastSparsity else { return }
    lost.append((part.name, reason))
  }

  /// The notes, a reason each.
  var notes: [String] {
    var notes: [String] = []
    if let first = held.first {
      notes.append(
        "zeros of \(Wording.count(held.count, "matrix stay", "matrices stay")) zero: `\(first)`"
          + (held.count > 1 ? " to `\(held[held.count - 1])`" : "")
      )
    }
    for reason in Set(lost.map(\.reason)).sorted() {
      let names = lost.filter { $0.reason == reason }.map(\.name)
      notes += [PrunedMatrix.note(on: names, "are lost: \(reason)")].compactMap(\.self)
    }
    return notes
  }
}
