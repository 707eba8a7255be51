/// The one-to-one map between bytes and visible characters that byte-level vocabularies use.
///
/// Printable Latin-1 bytes stand for themselves; the other 68, in order, are U+0100 and up.
enum ByteAlphabet {
  /// The scalar that stands for each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { (byte: UInt32) in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(UInt8(byte))
      default:
        next += 1
        return Unicode.Scalar(next - 1) ?? "?"
      }
    }
  }()

  /// The byte each scalar below U+0144 stands for; nil for those that stand for none.
  static let bytes: [UInt8?] = {
    var result = [UInt8?](repeating: nil, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { result[Int(scalar.value)] = UInt8(byte) }
    return result
  }()

  /// The UTF-8 bytes of the character that stands for each byte.
  static let encoded: [[UInt8]] = scalars.map { Array(String(Character($0)).utf8) }

  /// The bytes a token stands for, or nil if a character of it stands for none.
  static func decode(_ token: some Collection<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(token.count)
    return append(token, to: &result) ? result : nil
  }

  /// Appends the bytes a token stands for, or nothing, returning false, if a character of it
  /// stands for none.
  ///
  /// - Precondition: The token is well-formed UTF-8.
  static func append(_ token: some Collection<UInt8>, to result: inout [UInt8]) -> Bool {
    let start = result.count
    var lead: Int?
    for byte in token {
      let value: Int
      if let first = lead {
        value = (first & 0x1F) << 6 | Int(byte & 0x3F)
        lead = nil
      } else if byte < 0x80 {
        value = Int(byte)
      } else if byte < 0xE0 {
        lead = Int(byte)
        continue
      } else {
        value = bytes.count
      }
      guard value < bytes.count, let decoded = bytes[value] else {
        result.removeLast(result.count - start)
        return false
      }
      result.append(decoded)
    }
    return true
  }

  /// The text in which each byte is replaced by its character.
  static func encode(_ text: some Sequence<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    for byte in text { result.append(contentsOf: encoded[Int(byte)]) }
    return result
  }
}
