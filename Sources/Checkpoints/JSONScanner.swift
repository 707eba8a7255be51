/// Reads JSON from bytes in one strict pass, without building a tree.
///
/// Foundation's decoder silently keeps one of two equal keys and forgets where a value stood;
/// headers of untrusted files need both known. Strings are validated UTF-8, numbers are
/// integers without sign, fraction or exponent, and whatever a caller does not ask for is
/// skipped, checked all the same.
///
/// ```swift
/// var scanner = JSONScanner(bytes, file: path, offset: 8)
/// try scanner.readObject { key, scanner in … }
/// try scanner.finish()
/// ```
struct JSONScanner {
  let bytes: UnsafeRawBufferPointer
  let file: String
  /// Where `bytes` starts in the file.
  let offset: Int
  private(set) var position = 0
  private var depth = 0

  /// Nesting allowed; deeper input could exhaust the stack.
  static let maximumDepth = 32

  init(_ bytes: UnsafeRawBufferPointer, file: String, offset: Int = 0) {
    self.bytes = bytes
    self.file = file
    self.offset = offset
  }

  func error(_ problem: String, name: String? = nil) -> CheckpointError {
    CheckpointError(
      .malformed,
      problem,
      file: file,
      byteOffset: offset + position,
      name: name
    )
  }

  // MARK: - Tokens

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  /// The next byte that is not white space, not consumed; 0 at the end.
  private mutating func peek() -> UInt8 {
    skipSpace()
    return position < bytes.count ? bytes[position] : 0
  }

  /// Consumes `byte` if it comes next.
  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek() == byte, position < bytes.count else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ byte: UInt8) throws(CheckpointError) {
    if !take(byte) { throw error("JSON: '\(Character(UnicodeScalar(byte)))' expected") }
  }

  /// Checks that nothing but white space is left.
  mutating func finish() throws(CheckpointError) {
    skipSpace()
    if position < bytes.count { throw error("JSON: text after the end") }
  }

  // MARK: - Objects and arrays

  /// Reads an object whose keys differ; `body` reads the value of each.
  mutating func readObject(
    _ body: (_ key: String, _ scanner: inout JSONScanner) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    try expect(UInt8(ascii: "{"))
    try descend()
    var keys: Set<String> = []
    if take(UInt8(ascii: "}")) { return ascend() }
    repeat {
      let key = try readString()
      if !keys.insert(key).inserted { throw error("JSON: key '\(key)' occurs twice", name: key) }
      try expect(UInt8(ascii: ":"))
      try body(key, &self)
    } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "}"))
    ascend()
  }

  /// Reads an array; `body` reads each element.
  mutating func readArray(
    _ body: (_ scanner: inout JSONScanner) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    try expect(UInt8(ascii: "["))
    try descend()
    if take(UInt8(ascii: "]")) { return ascend() }
    repeat { try body(&self) } while take(UInt8(ascii: ","))
    try expect(UInt8(ascii: "]"))
    ascend()
  }

  private mutating func descend() throws(CheckpointError) {
    depth += 1
    if depth > Self.maximumDepth { throw error("JSON: nested too deeply") }
  }

  private mutating func ascend() { depth -= 1 }

  // MARK: - Numbers

  /// Reads an integer from 0 to `Int.max`.
  mutating func readInteger() throws(CheckpointError) -> Int {
    skipSpace()
    let start = position
    var value = 0
    while position < bytes.count, case let digit = bytes[position] &- 0x30, digit < 10 {
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = tens.addingReportingOverflow(Int(digit))
      if overflow || carry { throw error("JSON: number too large") }
      value = sum
      position += 1
    }
    if position == start { throw error("JSON: integer from 0 expected") }
    if bytes[start] == 0x30 && position - start > 1 { throw error("JSON: number with leading 0") }
    if position < bytes.count, "+-.eE".utf8.contains(bytes[position]) {
      throw error("JSON: integer expected")
    }
    return value
  }

  /// Reads an array of integers from 0, at most `limit` of them.
  mutating func readIntegers(limit: Int) throws(CheckpointError) -> [Int] {
    var values: [Int] = []
    try readArray { scanner throws(CheckpointError) in
      if values.count == limit { throw scanner.error("JSON: more than \(limit) numbers") }
      values.append(try scanner.readInteger())
    }
    return values
  }

  // MARK: - Strings

  /// Reads a string.
  mutating func readString() throws(CheckpointError) -> String {
    try expect(UInt8(ascii: "\""))
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        defer { position += 1 }
        return try text(start..<position)
      case UInt8(ascii: "\\"):
        return try readEscapedString(from: start)
      case 0..<0x20:
        throw error("JSON: control character in a string")
      default:
        position += 1
      }
    }
    throw error("JSON: string without end")
  }

  private func text(_ range: Range<Int>) throws(CheckpointError) -> String {
    guard let text = String(validating: bytes[range], as: UTF8.self) else {
      throw error("JSON: text is not UTF-8")
    }
    return text
  }

  /// Goes on with a string whose first escape is at `position`.
  private mutating func readEscapedString(from start: Int) throws(CheckpointError) -> String {
    var result = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: result, as: UTF8.self) else {
          throw error("JSON: text is not UTF-8")
        }
        return text
      case UInt8(ascii: "\\"):
        result.append(contentsOf: try readEscape())
      case 0..<0x20:
        throw error("JSON: control character in a string")
      default:
        result.append(byte)
      }
    }
    throw error("JSON: string without end")
  }

  /// Reads what follows a backslash, as UTF-8.
  private mutating func readEscape() throws(CheckpointError) -> [UInt8] {
    guard position < bytes.count else { throw error("JSON: string without end") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"): return try readUnicodeEscape()
    default: throw error("JSON: unknown escape")
    }
  }

  /// Reads four hexadecimal digits, and the second half of a surrogate pair if they are a first.
  private mutating func readUnicodeEscape() throws(CheckpointError) -> [UInt8] {
    var code = try readFourDigits()
    if code & 0xFC00 == 0xD800 {
      guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      else { throw error("JSON: half a surrogate pair") }
      position += 2
      let low = try readFourDigits()
      guard low & 0xFC00 == 0xDC00 else { throw error("JSON: half a surrogate pair") }
      code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
    }
    guard let scalar = UnicodeScalar(code) else { throw error("JSON: half a surrogate pair") }
    return Array(String(Character(scalar)).utf8)
  }

  private mutating func readFourDigits() throws(CheckpointError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error("JSON: string without end") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(UnicodeScalar(bytes[position])).hexDigitValue else {
        throw error("JSON: hexadecimal digit expected")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }

  // MARK: - Skipping

  /// Whether a string comes next.
  mutating func nextIsString() -> Bool { peek() == UInt8(ascii: "\"") }

  /// Reads a value of any kind and forgets it.
  mutating func skipValue() throws(CheckpointError) {
    switch peek() {
    case UInt8(ascii: "{"):
      try readObject { _, scanner throws(CheckpointError) in try scanner.skipValue() }
    case UInt8(ascii: "["):
      try readArray { scanner throws(CheckpointError) in try scanner.skipValue() }
    case UInt8(ascii: "\""):
      _ = try readString()
    default:
      try skipScalar()
    }
  }

  /// Skips a number or one of the three words, which need no telling apart here.
  private mutating func skipScalar() throws(CheckpointError) {
    let start = position
    scan: while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
        position += 1
      default:
        break scan
      }
    }
    if position == start { throw error("JSON: value expected") }
  }
}
