/// The tokens that are found in the text as they are, before it is split.
struct AddedTokens: Sendable {
  struct Token: Sendable {
    let id: Int32
    let content: [UInt8]
    /// Whether it must not touch word characters.
    var isSingleWord = false
    /// Whether it swallows whitespace before it.
    var stripsLeft = false
    /// Whether it swallows whitespace after it.
    var stripsRight = false
    /// Whether it is looked for after normalization, in its own normalized form.
    var isNormalized = false
    /// Whether decoding may skip it.
    var isSpecial = true
  }

  /// A part of a text: an added token, or text between them.
  struct Section {
    let start: Int
    let end: Int
    /// The token, or nil for text.
    let id: Int32?
  }

  private(set) var tokens: [Token] = []
  /// The place in `tokens` of each id.
  private var places: [Int32: Int] = [:]
  /// What a normalized token is looked for as, where it differs from its content.
  private var normalizedForms: [Int32: [UInt8]] = [:]
  private var plain = Finder()
  private var normalized = Finder()

  var hasPlain: Bool { !plain.isEmpty }
  var hasNormalized: Bool { !normalized.isEmpty }

  subscript(id: Int32) -> Token? {
    guard id >= lowest, let place = places[id] else { return nil }
    return tokens[place]
  }

  /// No added token has a lower id; most tokens of a text have, in most vocabularies.
  private var lowest = Int32.max

  /// The text that decoding starts from.
  func decodedForm(_ id: Int32) -> [UInt8]? { normalizedForms[id] ?? self[id]?.content }

  /// Adds a token; a later token with the same id replaces an earlier one.
  mutating func insert(_ token: Token, normalizedForm: [UInt8]?) {
    lowest = min(lowest, token.id)
    places[token.id] = tokens.count
    tokens.append(token)
    if token.isNormalized {
      if let normalizedForm, normalizedForm != token.content {
        normalizedForms[token.id] = normalizedForm
      }
      normalized.insert(normalizedForm ?? token.content, id: token.id)
    } else {
      plain.insert(token.content, id: token.id)
    }
  }

  /// Splits a text at the tokens that are looked for before normalization.
  func plainSections(_ text: UnsafeBufferPointer<UInt8>) -> [Section] {
    sections(text, 0..<text.count, plain)
  }

  /// Splits a normalized text at the tokens that are looked for after normalization.
  func normalizedSections(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> [Section] {
    sections(text, range, normalized)
  }

  private func sections(
    _ text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    _ finder: Finder
  ) -> [Section] {
    var result: [Section] = []
    var position = range.lowerBound
    finder.forEachMatch(in: text, range) { id, matchStart, matchEnd in
      guard let token = self[id] else { return }
      var (start, end) = (matchStart, matchEnd)
      if token.isSingleWord {
        let touchesLeft = lastScalar(text, range.lowerBound, start).map(isWordCharacter) ?? false
        let touchesRight =
          end < range.upperBound ? scalar(text, end).map(isWordCharacter) ?? false : false
        if touchesLeft || touchesRight { return }
      }
      if token.stripsLeft {
        while start > range.lowerBound, let scalar = lastScalar(text, range.lowerBound, start),
          scalar.properties.isWhitespace
        {
          start -= UTF8.width(scalar)
        }
        start = max(start, position)
      }
      if token.stripsRight {
        while end < range.upperBound, let scalar = scalar(text, end),
          scalar.properties.isWhitespace
        {
          end += UTF8.width(scalar)
        }
      }
      if position < start { result.append(.init(start: position, end: start, id: nil)) }
      result.append(.init(start: start, end: end, id: id))
      position = end
    }
    if position != range.upperBound {
      result.append(.init(start: position, end: range.upperBound, id: nil))
    }
    return result
  }

  private func scalar(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Unicode.Scalar? {
    Unicode.Scalar(decodeScalar(text, position).value)
  }

  /// The scalar that ends at `end`, if that is after `start`.
  private func lastScalar(
    _ text: UnsafeBufferPointer<UInt8>,
    _ start: Int,
    _ end: Int
  ) -> Unicode.Scalar? {
    guard end > start else { return nil }
    var position = end - 1
    while position > start && text[position] & 0xC0 == 0x80 { position -= 1 }
    return scalar(text, position)
  }
}
