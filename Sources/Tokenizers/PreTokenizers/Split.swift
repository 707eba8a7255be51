/// Splits at the matches of a pattern.
struct Split: PreTokenizer {
  let pattern: TextPattern
  let behavior: SplitBehavior
  let isInverted: Bool

  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    try pieces.split(behavior, isInverted: isInverted) {
      text,
      range,
      found throws(TokenizerError) in
      try pattern.forEachMatch(in: text, range, found)
    }
  }
}
