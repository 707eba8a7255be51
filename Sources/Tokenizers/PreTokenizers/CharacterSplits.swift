/// Splits at whitespace, which is dropped.
struct WhitespaceSplit: PreTokenizer {
  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    try pieces.split(.removed) { $0.properties.isWhitespace }
  }
}

/// Splits into runs of word characters and runs of what is neither word nor whitespace.
struct WhitespacePreTokenizer: PreTokenizer {
  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    try pieces.split(.removed) { $0.properties.isWhitespace }
    try pieces.split(.contiguous) { !isWordCharacter($0) }
  }
}

/// Whether a scalar counts as part of a word: Unicode's definition for regular expressions.
func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
  if scalar.isASCII {
    return scalar == "_" || scalar.properties.isAlphabetic || isNumeric(scalar)
  }
  guard UnicodeVersion.isAssigned(scalar, in: UnicodeVersion.patterns) else { return false }
  switch scalar.properties.generalCategory {
  case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
    return true
  default: return scalar.properties.isAlphabetic || scalar.properties.isJoinControl
  }
}

/// Splits at punctuation.
struct Punctuation: PreTokenizer {
  let behavior: SplitBehavior

  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    try pieces.split(behavior, at: isPunctuation)
  }
}

/// Whether a scalar is ASCII punctuation or of one of Unicode's punctuation categories.
func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
  case 0..<0x80: return false
  default: break
  }
  switch UnicodeVersion.formerCategory(scalar, in: UnicodeVersion.categories) {
  case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
    .initialPunctuation, .finalPunctuation, .otherPunctuation:
    return true
  default: return false
  }
}

/// BERT's split: whitespace is dropped, punctuation stands alone.
struct BertPreTokenizer: PreTokenizer {
  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    try pieces.split(.removed) { $0.properties.isWhitespace }
    try pieces.split(.isolated, at: isPunctuation)
  }
}

/// Splits at one character, which is dropped.
struct CharacterDelimiterSplit: PreTokenizer {
  let delimiter: Unicode.Scalar

  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    try pieces.split(.removed) { $0 == delimiter }
  }
}

/// Splits into pieces of so many scalars.
struct FixedLength: PreTokenizer {
  let length: Int

  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    try pieces.split(.isolated) { text, range, found throws(TokenizerError) in
      var start = range.lowerBound
      var position = start
      var scalars = 0
      while position < range.upperBound {
        position += sequenceLength(text[position])
        scalars += 1
        if scalars == length || position == range.upperBound {
          try found(start, position)
          start = position
          scalars = 0
        }
      }
    }
  }
}
