internal import Tensor

/// The tensor types of GGUF, by ggml's type numbers.
enum GGUFType {
  /// What a type number means.
  static func encoding(_ number: UInt32) -> TensorEncoding {
    if let dtype = dtypes[number] { return .elements(dtype) }
    if let format = BlockFormat(rawValue: Int32(bitPattern: number)) { return .blocks(format) }
    return .unsupported(unreadable[number]?.name ?? "number \(number)")
  }

  /// The type number of an encoding; nil for what a GGUF file cannot hold.
  static func number(of encoding: TensorEncoding) -> UInt32? {
    switch encoding {
    case .elements(let dtype): dtypes.first { $0.value == dtype }?.key
    case .blocks(let format): UInt32(bitPattern: format.rawValue)
    case .unsupported(let name): unreadable.first { $0.value.name == name }?.key
    }
  }

  /// The size in bytes of `count` elements of a type that can be copied but not read; nil for
  /// unknown types and for counts that do not fill blocks.
  static func byteCount(of count: Int, unreadable name: String) -> Int? {
    guard let type = unreadable.values.first(where: { $0.name == name }),
      count % type.length == 0
    else { return nil }
    let (bytes, overflow) = (count / type.length).multipliedReportingOverflow(by: type.byteCount)
    return overflow ? nil : bytes
  }

  private static let dtypes: [UInt32: DType] = [
    0: .float32, 1: .float16, 24: .int8, 25: .int16, 26: .int32, 27: .int64, 28: .float64,
    30: .bfloat16,
  ]

  /// Names, elements of a block and bytes of a block of the types that cannot be read.
  private static let unreadable: [UInt32: (name: String, length: Int, byteCount: Int)] = [
    9: ("Q8_1", 32, 36),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    29: ("IQ1_M", 256, 56),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
  ]
}
