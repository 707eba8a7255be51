/// What `Split` and `Replace` look for: a literal text or a regular expression.
enum TextPattern: Sendable {
  case literal([UInt8])
  case expression(RegularExpression)

  /// Reads `{"String": …}` or `{"Regex": …}`.
  init(_ json: JSONValue) throws(TokenizerError) {
    try json.allow(["String", "Regex"])
    let members = try json.members()
    guard members.count == 1 else {
      throw json.failure(.invalidValue, "expected either 'String' or 'Regex'")
    }
    let value = members[0].value
    if members[0].key == "String" {
      let literal = try value.bytes()
      guard !literal.isEmpty else { throw value.failure(.invalidValue, "the pattern is empty") }
      self = .literal(literal)
    } else {
      self = .expression(try RegularExpression(try value.string(), at: value.location))
    }
  }

  /// Calls `body` with the start and end of every match in `text[range]`, in order.
  func forEachMatch(
    in text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    _ body: (Int, Int) throws(TokenizerError) -> Void
  ) throws(TokenizerError) {
    switch self {
    case .expression(let expression): try expression.forEachMatch(in: text, range, body)
    case .literal(let literal):
      var position = range.lowerBound
      let last = range.upperBound - literal.count
      while position <= last {
        var matched = 0
        while matched < literal.count && text[position + matched] == literal[matched] {
          matched += 1
        }
        if matched == literal.count {
          try body(position, position + matched)
          position += matched
        } else {
          position += 1
        }
      }
    }
  }
}
