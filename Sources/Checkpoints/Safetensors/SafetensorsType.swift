internal import Tensor

/// The types of safetensors' headers.
enum SafetensorsType {
  /// The name of a dtype in a header.
  static func name(of dtype: DType) -> String {
    switch dtype {
    case .float64: "F64"
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .float8E4M3: "F8_E4M3"
    case .float8E5M2: "F8_E5M2"
    case .int64: "I64"
    case .int32: "I32"
    case .int16: "I16"
    case .int8: "I8"
    case .uint64: "U64"
    case .uint32: "U32"
    case .uint16: "U16"
    case .uint8: "U8"
    case .bool: "BOOL"
    }
  }

  private static let encodings: [String: TensorEncoding] = Dictionary(
    DType.allCases.map { (name(of: $0), .elements($0)) },
    uniquingKeysWith: { first, _ in first }
  )

  /// What a name in a header means.
  static func encoding(named name: String) -> TensorEncoding {
    encodings[name] ?? .unsupported(name)
  }

  /// The size in bits of one element of a type that exists but cannot be read here; nil for a
  /// name that is not known at all.
  static func bitCount(ofUnsupported name: String) -> Int? {
    switch name {
    case "F4": 4
    case "F6_E2M3", "F6_E3M2": 6
    case "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ": 8
    case "C64": 64
    default: nil
    }
  }
}
