internal import CKernels
internal import Checkpoints
internal import Models
internal import Tensor

/// How a matrix gets from the representation it has to the one a file stores.
enum MatrixConversion: Hashable {
  /// The bytes are those in memory.
  case same
  /// Other bytes stand for the same numbers.
  case exact
  /// Numbers are rounded to a floating-point type, or unquantized ones to blocks: what an export
  /// with a type is asked for.
  case rounded
  /// Quantized numbers would be rounded a second time.
  case requantized
  /// The shape does not fit the type.
  case impossible(String)
}

extension MatrixConversion {
  /// The conversion between two representations of a matrix of so many columns.
  init(from source: WeightFormat, to target: TensorEncoding, columns: Int) {
    switch (source, target) {
    case (.elements(let old), .elements(let new)):
      self = old == new ? .same : new.holds(old) ? .exact : .rounded
    case (_, .elements(let new)): self = new == .float32 ? .exact : .rounded
    case (.blocks(let old), .blocks(let new)): self = old == new ? .same : .requantized
    case (_, .blocks(let new)) where columns % new.blockLength != 0:
      self = .impossible("rows of \(columns) do not divide into blocks of \(new.blockLength)")
    case (.groups(let groups), .blocks(let new)):
      self = new.objection(to: groups) == nil ? .exact : .requantized
    case (.elements, .blocks): self = .rounded
    case (_, .unsupported(let name)): self = .impossible("\(name) cannot be written")
    }
  }
}

extension DType {
  /// Whether every number of another floating-point type is one of this type.
  fileprivate func holds(_ other: DType) -> Bool {
    switch self {
    case .float64: true
    case .float32: other != .float64
    case .float16: other == .float8E4M3 || other == .float8E5M2
    case .bfloat16: other == .float8E4M3 || other == .float8E5M2
    default: false
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
  func objection(to groups: GroupFormat) -> String? {
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
