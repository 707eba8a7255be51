public import Foundation

extension Tokenizer {
  /// A tokenizer.json that gives the same ids.
  ///
  /// A tokenizer that was read from a tokenizer.json gives that file back. One that was read from
  /// a GGUF file gets the sections its pre-tokenizer was published with; the scores of a `llama`
  /// vocabulary become merges, which gives the same ids unless different tokens share a score and
  /// compete for the same characters, or a character that is not a token is part of one.
  ///
  /// - Returns: The text of the file, UTF-8.
  /// - Throws: ``TokenizerError`` with `notExportable` if the vocabulary has no counterpart.
  public func tokenizerJSON() throws(TokenizerError) -> Data {
    switch origin {
    case .json(let data): return data
    case .gguf(let vocabulary, let layout):
      return Data(try TokenizerWriter(self, vocabulary, layout).write().utf8)
    }
  }
}
