/// Turns a JSON text into the nodes of a ``JSONDocument``, without recursion.
struct JSONParser {
  /// Deeper nesting than any tokenizer has.
  static let depthLimit = 64
  static let byteLimit = 1 << 30

  let text: [UInt8]
  let source: String
  var position = 0
  var nodes: [JSONDocument.Node] = []
  var unescaped: [UInt8] = []

  init(_ text: [UInt8], source: String) {
    self.text = text
    self.source = source
  }

  mutating func parse() throws(TokenizerError) {
    guard text.count <= Self.byteLimit else {
      throw TokenizerError(
        .tooLarge,
        at: .init(source: source, path: ""),
        "the file has \(text.count) bytes, more than \(Self.byteLimit)",
        remedy: "check that it is a tokenizer.json"
      )
    }
    guard isValidUTF8(text) else { throw malformed("the file is not UTF-8") }
    nodes.reserveCapacity(text.count / 8)
    var open: [Int] = []
    repeat {
      skipSpace()
      if let container = open.last {
        let isObject = nodes[container].kind == .object
        if peek == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
          position += 1
          nodes[container].end = nodes.count
          open.removeLast()
          continue
        }
        if nodes[container].count > 0 {
          try expect(UInt8(ascii: ","))
          skipSpace()
        }
        nodes[container].count += 1
        if isObject {
          guard peek == UInt8(ascii: "\"") else { throw malformed("expected a key in quotes") }
          try parseString()
          skipSpace()
          try expect(UInt8(ascii: ":"))
          skipSpace()
        }
      }
      try parseValue(open: &open)
    } while !open.isEmpty
    skipSpace()
    guard position == text.count else { throw malformed("text follows the JSON value") }
  }

  private mutating func parseValue(open: inout [Int]) throws(TokenizerError) {
    guard let byte = peek else { throw malformed("the file ends inside a value") }
    switch byte {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      guard open.count < Self.depthLimit else {
        throw malformed("values are nested deeper than \(Self.depthLimit)")
      }
      open.append(nodes.count)
      add(byte == UInt8(ascii: "{") ? .object : .array, from: 0, count: 0)
      position += 1
    case UInt8(ascii: "\""): try parseString()
    case UInt8(ascii: "t"): try parseWord("true", .true)
    case UInt8(ascii: "f"): try parseWord("false", .false)
    case UInt8(ascii: "n"): try parseWord("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try parseNumber()
    default: throw malformed("expected a value")
    }
  }

  private mutating func parseWord(
    _ word: StaticString,
    _ kind: JSONDocument.Kind
  ) throws(TokenizerError) {
    for offset in 0..<word.utf8CodeUnitCount {
      guard peek == word.utf8Start[offset] else { throw malformed("expected \(word)") }
      position += 1
    }
    add(kind, from: 0, count: 0)
  }

  private mutating func parseNumber() throws(TokenizerError) {
    let start = position
    while let byte = peek, Self.isNumberByte(byte) { position += 1 }
    let count = position - start
    let digits = String(decoding: text[start..<position], as: UTF8.self)
    // `Double` also reads forms JSON does not have, but none made of these characters that
    // means another number.
    guard count <= 64, Double(digits) != nil else { throw malformed("\(digits) is not a number") }
    add(.number, from: start, count: count)
  }

  private static func isNumberByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
      UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
      true
    default: false
    }
  }

  mutating func add(
    _ kind: JSONDocument.Kind,
    from start: Int,
    count: Int,
    isUnescaped: Bool = false
  ) {
    nodes.append(
      .init(
        kind: kind,
        isUnescaped: isUnescaped,
        start: start,
        count: count,
        end: nodes.count + 1
      )
    )
  }

  var peek: UInt8? { position < text.count ? text[position] : nil }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func expect(_ byte: UInt8) throws(TokenizerError) {
    guard peek == byte else {
      throw malformed("expected '\(Character(Unicode.Scalar(byte)))'")
    }
    position += 1
  }

  func malformed(_ problem: String) -> TokenizerError {
    let before = text[..<min(position, text.count)]
    let line = 1 + before.count { $0 == 0x0A }
    let column = 1 + (before.lastIndex(of: 0x0A).map { position - $0 - 1 } ?? position)
    return TokenizerError(
      .malformedJSON,
      at: .init(source: source, path: "\(line):\(column)"),
      problem,
      remedy: "download the file again or repair it"
    )
  }
}
