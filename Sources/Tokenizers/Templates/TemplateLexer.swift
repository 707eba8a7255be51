/// A token of a template.
struct TemplateToken {
  enum Kind: Equatable {
    /// Text outside of tags.
    case text(String)
    case statementStart
    case statementEnd
    case outputStart
    case outputEnd
    case name(String)
    case string(String)
    case integer(Int)
    case number(Double)
    case symbol(String)
    case end
  }

  let kind: Kind
  let place: TemplatePlace
}

/// Cuts a template into tokens by Jinja's rules, with `trim_blocks` and `lstrip_blocks` set.
struct TemplateLexer {
  /// Longer templates than any model has.
  private static let lengthLimit = 1 << 20

  let source: [Unicode.Scalar]
  let name: String
  var position = 0
  var tokens: [TemplateToken] = []
  /// The brackets that are open inside the current tag.
  private var open: [Unicode.Scalar] = []
  /// The place of `position`, moved along with it by ``place(at:)``.
  private var known = (position: 0, line: 1, lineStart: 0)

  init(_ text: String, name: String) throws(TokenizerError) {
    var scalars: [Unicode.Scalar] = []
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      if scalar == "\n" && previous == "\r" {
        // The line feed stands there already.
      } else {
        scalars.append(scalar == "\r" ? "\n" : scalar)
      }
      previous = scalar
    }
    if scalars.last == "\n" { scalars.removeLast() }
    source = scalars
    self.name = name
    guard scalars.count <= Self.lengthLimit else {
      throw failure("the template has more than \(Self.lengthLimit) characters", at: 0)
    }
  }

  /// All tokens, the last of which is `end`.
  mutating func tokenize() throws(TokenizerError) -> [TemplateToken] {
    while position < source.count { try readText() }
    add(.end, at: position)
    return tokens
  }

  // MARK: Text

  private mutating func readText() throws(TokenizerError) {
    let start = position
    let startsLine = start == 0 || source[start - 1] == "\n"
    var tag = start
    while tag < source.count, !isTagStart(tag) { tag += 1 }
    guard tag < source.count else {
      addText(start..<tag)
      position = tag
      return
    }
    let kind = source[tag + 1]
    let sign = tag + 2 < source.count ? source[tag + 2] : " "
    addText(start..<strippedEnd(start, tag, sign, startsLine, isOutput: kind == "{"))
    position = tag + 2 + (sign == "-" || sign == "+" ? 1 : 0)
    switch kind {
    case "#": try skipComment(from: tag)
    case "{":
      add(.outputStart, at: tag)
      try readTag(from: tag, isOutput: true)
    default:
      if try readRaw(from: tag) { return }
      add(.statementStart, at: tag)
      try readTag(from: tag, isOutput: false)
    }
  }

  private func isTagStart(_ place: Int) -> Bool {
    guard source[place] == "{", place + 1 < source.count else { return false }
    return source[place + 1] == "%" || source[place + 1] == "{" || source[place + 1] == "#"
  }

  /// Where the text before a tag ends once the whitespace that the tag removes is gone.
  private func strippedEnd(
    _ start: Int,
    _ tag: Int,
    _ sign: Unicode.Scalar,
    _ startsLine: Bool,
    isOutput: Bool
  ) -> Int {
    var end = tag
    if sign == "-" {
      while end > start, source[end - 1].isPythonSpace { end -= 1 }
      return end
    }
    if sign == "+" || isOutput { return tag }
    while end > start, source[end - 1] != "\n" {
      guard source[end - 1].isPythonSpace else { return tag }
      end -= 1
    }
    return end > start || startsLine ? end : tag
  }

  private mutating func addText(_ range: Range<Int>) {
    if range.isEmpty { return }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: source[range])
    add(.text(String(text)), at: range.lowerBound)
  }

  private mutating func skipComment(from tag: Int) throws(TokenizerError) {
    // The sign of the start is not also one of the end: {#-#}.
    let start = position
    while position + 1 < source.count {
      if source[position] == "#" && source[position + 1] == "}" {
        let sign = position > start ? source[position - 1] : " "
        position += 2
        skipAfterTag(sign)
        return
      }
      position += 1
    }
    throw failure("the comment is not closed", at: tag)
  }

  /// Reads a whole raw block if one starts here.
  private mutating func readRaw(from tag: Int) throws(TokenizerError) -> Bool {
    guard let opening = endOfWordTag("raw", from: position), opening.sign != "+" else {
      return false
    }
    position = opening.end
    if opening.sign == "-" { skipSpace() }
    let start = position
    let startsLine = source[start - 1] == "\n"
    var place = start
    while place < source.count {
      if source[place] == "{", place + 1 < source.count, source[place + 1] == "%" {
        let sign = place + 2 < source.count ? source[place + 2] : " "
        let isSigned = sign == "-" || sign == "+"
        if let closing = endOfWordTag("endraw", from: place + (isSigned ? 3 : 2)) {
          addText(start..<strippedEnd(start, place, sign, startsLine, isOutput: false))
          position = closing.end
          skipAfterTag(closing.sign)
          return true
        }
      }
      place += 1
    }
    throw failure("the raw block is not closed", at: tag)
  }

  /// Where a tag that holds only `word` ends, and the sign before its end.
  private func endOfWordTag(
    _ word: String,
    from start: Int
  ) -> (end: Int, sign: Unicode.Scalar)? {
    var place = start
    while place < source.count, source[place].isPythonSpace { place += 1 }
    for scalar in word.unicodeScalars {
      guard place < source.count, source[place] == scalar else { return nil }
      place += 1
    }
    while place < source.count, source[place].isPythonSpace { place += 1 }
    guard place < source.count else { return nil }
    let sign = source[place] == "-" || source[place] == "+" ? source[place] : " "
    if sign != " " { place += 1 }
    guard place + 1 < source.count, source[place] == "%", source[place + 1] == "}" else {
      return nil
    }
    return (place + 2, sign)
  }

  /// Skips what a closing tag removes after it.
  private mutating func skipAfterTag(_ sign: Unicode.Scalar) {
    if sign == "-" {
      skipSpace()
    } else if sign != "+", position < source.count, source[position] == "\n" {
      position += 1
    }
  }

  mutating func skipSpace() {
    while position < source.count, source[position].isPythonSpace { position += 1 }
  }

  // MARK: Tags

  private mutating func readTag(from tag: Int, isOutput: Bool) throws(TokenizerError) {
    open.removeAll()
    while true {
      skipSpace()
      guard position < source.count else { throw failure("the tag is not closed", at: tag) }
      if open.isEmpty, endTag(isOutput) { return }
      try readToken()
    }
  }

  private mutating func endTag(_ isOutput: Bool) -> Bool {
    let start = position
    var place = position
    let sign = source[place]
    let isSigned = sign == "-" || (sign == "+" && !isOutput)
    if isSigned { place += 1 }
    guard place + 1 < source.count, source[place] == (isOutput ? "}" : "%"),
      source[place + 1] == "}"
    else { return false }
    add(isOutput ? .outputEnd : .statementEnd, at: start)
    position = place + 2
    if isOutput {
      if isSigned { skipSpace() }
    } else {
      skipAfterTag(isSigned ? sign : " ")
    }
    return true
  }

  private mutating func readToken() throws(TokenizerError) {
    let start = position
    let scalar = source[start]
    if scalar == "_" || scalar.properties.isXIDStart {
      while position < source.count, source[position].properties.isXIDContinue { position += 1 }
      add(.name(string(start..<position)), at: start)
    } else if ("0"..."9").contains(scalar) {
      try readNumber()
    } else if scalar == "'" || scalar == "\"" {
      try readString()
    } else {
      try readSymbol()
    }
  }

  private mutating func readSymbol() throws(TokenizerError) {
    let start = position
    let pairs = ["//", "**", "==", "!=", ">=", "<="]
    if start + 1 < source.count {
      let pair = string(start..<(start + 2))
      if pairs.contains(pair) {
        position += 2
        add(.symbol(pair), at: start)
        return
      }
    }
    let scalar = source[start]
    switch scalar {
    case "(", "[", "{": open.append(scalar == "(" ? ")" : scalar == "[" ? "]" : "}")
    case ")", "]", "}":
      guard open.popLast() == scalar else { throw failure("unexpected '\(scalar)'", at: start) }
    case "+", "-", "/", "*", "%", "~", ">", "<", "=", ".", ":", "|", ",", ";": break
    default: throw failure("unexpected character '\(scalar)'", at: start)
    }
    position += 1
    add(.symbol(String(Character(scalar))), at: start)
  }

  func string(_ range: Range<Int>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: source[range])
    return String(view)
  }

  mutating func add(_ kind: TemplateToken.Kind, at start: Int) {
    tokens.append(.init(kind: kind, place: place(at: start)))
  }

  /// The line and column of a position; cheap if positions come in order.
  private mutating func place(at target: Int) -> TemplatePlace {
    if target < known.position { known = (0, 1, 0) }
    while known.position < target {
      if source[known.position] == "\n" {
        known.line += 1
        known.lineStart = known.position + 1
      }
      known.position += 1
    }
    return .init(line: known.line, column: target - known.lineStart + 1)
  }

  func failure(_ problem: String, at target: Int) -> TokenizerError {
    var copy = self
    return .template(.malformedTemplate, name, copy.place(at: target), problem)
  }
}

extension Unicode.Scalar {
  /// Whether Python's `str.isspace` holds for the character.
  var isPythonSpace: Bool {
    properties.isWhitespace || (0x1C...0x1F).contains(value)
  }
}

extension TokenizerError {
  /// An error at a place in a template.
  static func template(
    _ code: Code,
    _ name: String,
    _ place: TemplatePlace,
    _ problem: String,
    remedy: String = "correct the template, or use another one for this model"
  ) -> TokenizerError {
    TokenizerError(
      code,
      at: .init(source: name, path: "\(place.line):\(place.column)"),
      problem,
      remedy: remedy
    )
  }
}
