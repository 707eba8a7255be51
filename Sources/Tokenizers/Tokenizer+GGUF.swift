extension Tokenizer {
  /// A vocabulary for a GGUF file that gives the same ids.
  ///
  /// A tokenizer that was read from a GGUF file gives its vocabulary back. Of a tokenizer.json,
  /// byte-level BPE whose pre-tokenizer has a name in GGUF can be written, and SentencePiece's
  /// BPE with byte fallback whose merges can be put as scores.
  ///
  /// - Parameter size: The number of rows of the model's embedding; ids above the vocabulary's
  ///   are filled with unused tokens. By default ``vocabularySize``.
  /// - Returns: The vocabulary.
  /// - Throws: ``TokenizerError`` with `notExportable` if GGUF has no way to say what this
  ///   tokenizer does.
  public func ggufVocabulary(
    paddedTo size: Int? = nil
  ) throws(TokenizerError) -> GGUFVocabulary {
    switch origin {
    case .gguf(var vocabulary, _):
      try GGUFWriter(self).pad(&vocabulary, to: size)
      return vocabulary
    case .json(let data): return try GGUFWriter(self).write(data, paddedTo: size)
    }
  }
}
