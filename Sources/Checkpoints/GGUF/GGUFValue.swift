/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable, Hashable {
  case uint8(UInt8)
  case int8(Int8)
  case uint16(UInt16)
  case int16(Int16)
  case uint32(UInt32)
  case int32(Int32)
  case float32(Float)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)
  case uint64(UInt64)
  case int64(Int64)
  case float64(Double)

  /// The type of a value, as numbered in files.
  public enum Kind: UInt32, Sendable, Hashable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case float32 = 6
    case bool = 7
    case string = 8
    case array = 9
    case uint64 = 10
    case int64 = 11
    case float64 = 12

    /// The size of a value in bytes; nil for strings and arrays.
    var byteCount: Int? {
      switch self {
      case .uint8, .int8, .bool: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64: 8
      case .string, .array: nil
      }
    }

    /// The fewest bytes a value takes: how many a count promises at least.
    var leastByteCount: Int {
      switch self {
      case .string: 8
      case .array: 12
      default: byteCount ?? 1
      }
    }
  }

  /// The type of the value.
  public var kind: Kind {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .uint16: .uint16
    case .int16: .int16
    case .uint32: .uint32
    case .int32: .int32
    case .float32: .float32
    case .bool: .bool
    case .string: .string
    case .array: .array
    case .uint64: .uint64
    case .int64: .int64
    case .float64: .float64
    }
  }

  /// The value as an integer; nil if it is of another type or exceeds an `Int`.
  public var integer: Int? {
    switch self {
    case .uint8(let value): Int(value)
    case .int8(let value): Int(value)
    case .uint16(let value): Int(value)
    case .int16(let value): Int(value)
    case .uint32(let value): Int(value)
    case .int32(let value): Int(value)
    case .uint64(let value): Int(exactly: value)
    case .int64(let value): Int(value)
    default: nil
    }
  }

  /// The value as a number; nil for truth values, strings and arrays.
  public var real: Double? {
    switch self {
    case .float32(let value): Double(value)
    case .float64(let value): value
    case .uint64(let value): Double(value)
    default: integer.map(Double.init)
    }
  }

  /// The value as text; nil if it is of another type.
  public var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The truth value; nil if it is of another type.
  public var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// The array; nil if it is of another type.
  public var array: GGUFArray? {
    if case .array(let value) = self { value } else { nil }
  }
}

extension GGUFValue: CustomStringConvertible {
  /// The value as text; of an array, its type and count only.
  public var description: String {
    switch self {
    case .string(let value): value
    case .bool(let value): "\(value)"
    case .float32(let value): "\(value)"
    case .array(let value): "\(value.count) × \(value.kind)"
    case .uint64(let value): "\(value)"
    case .float64(let value): "\(value)"
    default: integer.map { "\($0)" } ?? ""
    }
  }
}

extension FieldEncoder {
  /// Appends a value without its type.
  mutating func append(_ value: GGUFValue) {
    switch value {
    case .uint8(let value): append(value)
    case .int8(let value): append(value)
    case .uint16(let value): append(value)
    case .int16(let value): append(value)
    case .uint32(let value): append(value)
    case .int32(let value): append(value)
    case .float32(let value): append(value.bitPattern)
    case .bool(let value): append(value ? 1 : 0 as UInt8)
    case .string(let value): append(value)
    case .array(let array):
      append(array.kind.rawValue)
      append(UInt64(array.count))
      array.withBytes { bytes.append(contentsOf: $0) }
    case .uint64(let value): append(value)
    case .int64(let value): append(value)
    case .float64(let value): append(value.bitPattern)
    }
  }
}
