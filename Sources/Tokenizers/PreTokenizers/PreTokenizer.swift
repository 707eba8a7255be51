/// A step that splits a text into pieces, which the model then encodes one by one.
protocol PreTokenizer: Sendable {
  func apply(_ pieces: inout PieceList) throws(TokenizerError)
}

/// Runs pre-tokenizers one after another.
struct PreTokenizerSequence: PreTokenizer {
  let preTokenizers: [any PreTokenizer]

  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    for preTokenizer in preTokenizers { try preTokenizer.apply(&pieces) }
  }
}
