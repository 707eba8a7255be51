package import Checkpoints
package import Tensor

extension TensorEncoding {
  /// The smallest encoding of a GGUF file that holds a matrix exactly.
  package static func lossless(_ format: WeightFormat, columns: Int) -> TensorEncoding {
    switch format {
    case .elements(let dtype):
      return [.float32, .float16, .bfloat16].contains(dtype)
        ? .elements(dtype) : .elements(.float32)
    case .blocks(let format): return .blocks(format)
    case .groups(let groups):
      let candidates: [BlockFormat] = [.q4_0, .q4_1, .q5_0, .q5_1, .q8_0]
      let fitting = candidates.first {
        $0.objection(to: groups) == nil && columns % $0.blockLength == 0
      }
      return fitting.map { .blocks($0) } ?? .elements(.float32)
    }
  }
}

extension BlockFormat {
  /// The least and greatest code of the formats with a fixed zero, else nil.
  private var signedRange: ClosedRange<Int>? {
    switch self {
    case .q4_0: -8...7
    case .q5_0: -16...15
    case .q8_0: -128...127
    default: nil
    }
  }

  /// Why these codes and scales cannot be put into blocks of this format as they are; nil if they
  /// can.
  ///
  /// A group may be any multiple of the block: its blocks repeat the scale.
  package func objection(to groups: GroupFormat) -> String? {
    if let size = groups.groupSize, size % blockLength != 0 {
      return "its groups of \(size) are no multiple of a block of \(blockLength)"
    }
    guard groups.scaleType == .float16 else {
      return "its scales are \(groups.scaleType.rawValue) and those of a block float16"
    }
    let top = 1 << groups.bits
    if let signedRange {
      switch groups.zero {
      case .symmetric:
        return signedRange.lowerBound <= -top / 2
          ? nil : "a block has no codes of \(groups.bits) bits"
      case .integer:
        return signedRange.lowerBound <= 1 - top && signedRange.upperBound >= top - 1
          ? nil
          : "a block has no zero points, and codes less their zero need \(groups.bits + 1) bits"
      case .offset: return "a block has no offsets"
      }
    }
    guard self == .q4_1 || self == .q5_1 else { return "codes can only be carried over" }
    guard groups.bits <= (self == .q4_1 ? 4 : 5) else {
      return "a block has no codes of \(groups.bits) bits"
    }
    return groups.zero == .integer
      ? "its zero points would become offsets that are not float16 numbers" : nil
  }
}
