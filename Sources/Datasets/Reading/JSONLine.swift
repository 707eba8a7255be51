/// A JSON value.
indirect enum JSONField: Sendable, Equatable {
  case null
  case bool(Bool)
  /// The digits as written.
  case number(String)
  case string(String)
  case array([JSONField])
  /// The members in the order of the text; no two keys are equal.
  case object([Member])

  struct Member: Sendable, Equatable {
    var key: String
    var value: JSONField
  }

  /// The value of a member; nil if this is no object or has none of that name.
  subscript(key: String) -> JSONField? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// What the value is, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

/// Reads one JSON value strictly: nothing after it, no key twice, no half of a surrogate pair.
///
/// Foundation's reader keeps one of two equal keys and seldom says where a text is broken.
struct JSONLine {
  /// What is wrong, and at which byte.
  struct Problem: Error {
    var message: String
    var position: Int
  }

  /// Nesting allowed; deeper input could exhaust the stack.
  static let depthLimit = 64

  private let bytes: [UInt8]
  private var position = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Parses bytes that are UTF-8.
  static func parse(_ bytes: [UInt8]) throws(Problem) -> JSONField {
    var parser = JSONLine(bytes)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.position == bytes.count else { throw parser.problem("text follows the value") }
    return value
  }

  private func problem(_ message: String, at place: Int? = nil) -> Problem {
    Problem(message: message, position: place ?? position)
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
      position += 1
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(Problem) {
    guard take(character) else {
      throw problem(
        peek == nil ? "the line ends where \(character) is due" : "expected \(character)"
      )
    }
  }

  private mutating func value(depth: Int) throws(Problem) -> JSONField {
    skipSpace()
    guard depth < Self.depthLimit else {
      throw problem("values are nested deeper than \(Self.depthLimit)")
    }
    switch peek {
    case nil: throw problem("the line ends where a value is due")
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case let byte? where byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte):
      return try number()
    default: throw problem("expected a value")
    }
  }

  private mutating func object(depth: Int) throws(Problem) -> JSONField {
    position += 1
    var members: [JSONField.Member] = []
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw problem("expected a key in quotes") }
      let start = position
      let key = try string()
      guard !members.contains(where: { $0.key == key }) else {
        throw problem("the key “\(key)” occurs twice", at: start)
      }
      try expect(":")
      members.append(.init(key: key, value: try value(depth: depth + 1)))
    } while take(",")
    try expect("}")
    return .object(members)
  }

  private mutating func array(depth: Int) throws(Problem) -> JSONField {
    position += 1
    var elements: [JSONField] = []
    if take("]") { return .array(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while take(",")
    try expect("]")
    return .array(elements)
  }

  private mutating func word(_ word: String, _ value: JSONField) throws(Problem) -> JSONField {
    guard bytes[position...].starts(with: word.utf8) else { throw problem("expected a value") }
    position += word.utf8.count
    return value
  }

  /// Reads `-? digits (. digits)? ([eE] [+-]? digits)?` without leading zeros.
  private mutating func number() throws(Problem) -> JSONField {
    let start = position
    func digits(_ parser: inout JSONLine) throws(Problem) {
      let first = parser.position
      while let byte = parser.peek, (0x30...0x39).contains(byte) { parser.position += 1 }
      guard parser.position > first else { throw parser.problem("expected a digit") }
    }
    if peek == UInt8(ascii: "-") { position += 1 }
    let leading = position
    try digits(&self)
    guard bytes[leading] != 0x30 || position == leading + 1 else {
      throw problem("a number begins with 0", at: leading)
    }
    if peek == UInt8(ascii: ".") {
      position += 1
      try digits(&self)
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      position += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
      try digits(&self)
    }
    return .number(String(decoding: bytes[start..<position], as: UTF8.self))
  }
}

// MARK: - Strings

extension JSONLine {
  private mutating func string() throws(Problem) -> String {
    position += 1
    var start = position
    var text: [UInt8] = []
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        text += bytes[start..<position]
        position += 1
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        text += bytes[start..<position]
        try escape(&text)
        start = position
      case 0..<0x20: throw problem("a control character inside a string")
      default: position += 1
      }
    }
    throw problem("the line ends inside a string")
  }

  private mutating func escape(_ text: inout [UInt8]) throws(Problem) {
    let start = position
    position += 1
    guard let byte = peek else { throw problem("the line ends inside a string") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var value = try hexadecimal()
      if (0xD800..<0xDC00).contains(value), peek == UInt8(ascii: "\\"),
        position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else {
          throw problem("half of a surrogate pair", at: start)
        }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(value) else {
        throw problem("half of a surrogate pair", at: start)
      }
      text += Array(String(Character(scalar)).utf8)
    default: throw problem("an escape JSON does not have", at: start)
    }
  }

  private mutating func hexadecimal() throws(Problem) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw problem("expected four hexadecimal digits")
      }
      value = value << 4 + UInt32(digit)
      position += 1
    }
    return value
  }
}
