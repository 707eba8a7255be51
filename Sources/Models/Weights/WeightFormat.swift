public import Tensor

/// How the numbers of a weight matrix are stored.
public enum WeightFormat: Sendable, Hashable {
  /// One element of a dtype per weight.
  case elements(DType)
  /// Blocks of GGUF.
  case blocks(BlockFormat)
  /// Integer codes with a scale per group of columns.
  case groups(GroupFormat)

  /// The size of a matrix in bytes, scales and zero points included.
  public func byteCount(rows: Int, columns: Int) -> Int {
    switch self {
    case .elements(let dtype): rows * columns * dtype.byteCount
    case .blocks(let format):
      rows * (columns / format.blockLength) * format.blockByteCount
    case .groups(let format): rows * format.rowByteCount(columns: columns)
    }
  }
}

extension WeightFormat: CustomStringConvertible {
  /// A short name, such as `bfloat16`, `Q4_0` or `int4 in groups of 32, symmetric`.
  public var description: String {
    switch self {
    case .elements(let dtype): dtype.rawValue
    case .blocks(let format): format.name
    case .groups(let format): format.description
    }
  }
}

/// Integer codes of `bits` bits with one scale, and perhaps a zero point, per group of
/// neighbouring columns of a row.
public struct GroupFormat: Sendable, Hashable {
  /// What code stands for zero.
  public enum Zero: String, Sendable, Hashable, CaseIterable {
    /// The middle code: value = scale · (code − 2^(bits−1)).
    case symmetric
    /// A code of each group's own: value = scale · (code − zero).
    case integer
    /// None; each group adds a number: value = scale · code + offset.
    case offset
  }

  /// The width of a code, in `2...8`.
  public var bits: Int
  /// The columns that share a scale; nil for one group per row.
  public var groupSize: Int?
  /// What code stands for zero.
  public var zero: Zero
  /// The dtype of scales and offsets: float32, float16 or bfloat16.
  public var scaleType: DType

  /// Creates a format.
  public init(bits: Int, groupSize: Int?, zero: Zero, scaleType: DType) {
    self.bits = bits
    self.groupSize = groupSize
    self.zero = zero
    self.scaleType = scaleType
  }

  /// The number of groups in a row.
  public func groupCount(columns: Int) -> Int {
    groupSize.map { (columns + $0 - 1) / $0 } ?? 1
  }

  /// The size of one row's codes in bytes.
  public func codeByteCount(columns: Int) -> Int { (columns * bits + 7) / 8 }

  /// The size of one row in bytes, everything counted.
  public func rowByteCount(columns: Int) -> Int {
    let perGroup =
      switch zero {
      case .symmetric: scaleType.byteCount
      case .integer: scaleType.byteCount + 1
      case .offset: 2 * scaleType.byteCount
      }
    return codeByteCount(columns: columns) + groupCount(columns: columns) * perGroup
  }
}

extension GroupFormat: CustomStringConvertible {
  /// A short name, such as `int4 in groups of 32, symmetric`.
  public var description: String {
    let groups = groupSize.map { "in groups of \($0)" } ?? "per channel"
    let kind =
      switch zero {
      case .symmetric: "symmetric"
      case .integer: "asymmetric"
      case .offset: "with offsets"
      }
    return "int\(bits) \(groups), \(kind)"
  }
}
