extension JSONParser {
  /// Parses the string whose opening quote is at `position`.
  mutating func parseString() throws(TokenizerError) {
    position += 1
    let start = position
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        add(.string, from: start, count: position - start)
        position += 1
        return
      case UInt8(ascii: "\\"):
        try parseEscapedString(from: start)
        return
      case 0..<0x20: throw malformed("a control character inside a string")
      default: position += 1
      }
    }
    throw malformed("the file ends inside a string")
  }

  /// Parses the rest of a string that needs a copy because it holds escapes.
  private mutating func parseEscapedString(from start: Int) throws(TokenizerError) {
    let copyStart = unescaped.count
    unescaped.append(contentsOf: text[start..<position])
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        add(.string, from: copyStart, count: unescaped.count - copyStart, isUnescaped: true)
        return
      case UInt8(ascii: "\\"): try parseEscape()
      case 0..<0x20: throw malformed("a control character inside a string")
      default: unescaped.append(byte)
      }
    }
    throw malformed("the file ends inside a string")
  }

  private mutating func parseEscape() throws(TokenizerError) {
    guard let byte = peek else { throw malformed("the file ends inside an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(byte)
    case UInt8(ascii: "b"): unescaped.append(0x08)
    case UInt8(ascii: "f"): unescaped.append(0x0C)
    case UInt8(ascii: "n"): unescaped.append(0x0A)
    case UInt8(ascii: "r"): unescaped.append(0x0D)
    case UInt8(ascii: "t"): unescaped.append(0x09)
    case UInt8(ascii: "u"):
      var value = try parseHexadecimal()
      if (0xD800..<0xDC00).contains(value) {
        guard peek == UInt8(ascii: "\\"), position + 1 < text.count,
          text[position + 1] == UInt8(ascii: "u")
        else { throw malformed("half of a surrogate pair") }
        position += 2
        let low = try parseHexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw malformed("half of a surrogate pair") }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(value) else { throw malformed("half of a surrogate pair") }
      unescaped.append(contentsOf: UTF8.encode(scalar) ?? .init())
    default: throw malformed("an escape JSON does not have")
    }
  }

  private mutating func parseHexadecimal() throws(TokenizerError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw malformed("expected four hexadecimal digits")
      }
      value = value << 4 + UInt32(digit)
      position += 1
    }
    return value
  }
}
