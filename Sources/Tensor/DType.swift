/// The type of a tensor's elements.
///
/// Arithmetic is defined for `float32` and `float64`. The other types are for storage: they can
/// be mapped from a file, cast, gathered and multiplied by, and are widened where they are used.
public enum DType: String, Sendable, Hashable, CaseIterable {
  case float64, float32, float16, bfloat16
  case float8E4M3, float8E5M2
  case int64, int32, int16, int8
  case uint64, uint32, uint16, uint8
  case bool

  /// The size of one element in bytes.
  public var byteCount: Int {
    switch self {
    case .float64, .int64, .uint64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float8E4M3, .float8E5M2, .int8, .uint8, .bool: 1
    }
  }

  /// Whether the type holds real numbers, at any precision.
  public var isFloatingPoint: Bool {
    switch self {
    case .float64, .float32, .float16, .bfloat16, .float8E4M3, .float8E5M2: true
    default: false
    }
  }
}

/// A Swift type whose values are the elements of a tensor.
public protocol TensorElement: Sendable {
  /// The dtype of tensors with these elements.
  static var dtype: DType { get }
}

extension Double: TensorElement {
  /// `float64`.
  public static var dtype: DType { .float64 }
}
extension Float: TensorElement {
  /// `float32`.
  public static var dtype: DType { .float32 }
}
extension Int64: TensorElement {
  /// `int64`.
  public static var dtype: DType { .int64 }
}
extension Int32: TensorElement {
  /// `int32`.
  public static var dtype: DType { .int32 }
}
extension Int16: TensorElement {
  /// `int16`.
  public static var dtype: DType { .int16 }
}
extension Int8: TensorElement {
  /// `int8`.
  public static var dtype: DType { .int8 }
}
extension UInt64: TensorElement {
  /// `uint64`.
  public static var dtype: DType { .uint64 }
}
extension UInt32: TensorElement {
  /// `uint32`.
  public static var dtype: DType { .uint32 }
}
extension UInt16: TensorElement {
  /// `uint16`.
  public static var dtype: DType { .uint16 }
}
extension UInt8: TensorElement {
  /// `uint8`.
  public static var dtype: DType { .uint8 }
}
