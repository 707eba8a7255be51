extension Tokenizer {
  /// The single token that the tokenizer puts before every text; nil if it puts none.
  ///
  /// - Throws: ``TokenizerError`` as encoding.
  public func addedBeginning() throws(TokenizerError) -> Int32? {
    // The rule shows in what it does to a text; formats write it down in different ways.
    let plain = try encode("a")
    let marked = try encode("a", addSpecialTokens: true)
    guard marked.count > plain.count, Array(marked.dropFirst().prefix(plain.count)) == plain else {
      return nil
    }
    return marked.first
  }
}
