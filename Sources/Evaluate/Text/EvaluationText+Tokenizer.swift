public import Datasets
public import Pipeline
public import Tokenizers

extension EvaluationText {
  /// Reads, tokenizes and cuts a text.
  ///
  /// In the protocol `windows` no token is put before the text, whatever the tokenizer asks for.
  /// In `llama.cpp` the token that the tokenizer puts before every text, if any, is.
  ///
  /// - Parameters:
  ///   - source: The text.
  ///   - tokenizer: The tokenizer of the model that is measured.
  ///   - kind: Which predictions count.
  ///   - context: The length of a window, from 2.
  ///   - limit: How many tokens of the text are used at most; nil for all.
  /// - Throws: `DatasetError` if the text cannot be read or is too short, `TokenizerError` if
  ///   it cannot be tokenized, ``EvaluateError`` if no prediction of a window counts.
  public init(
    _ source: TextSource,
    tokenizer: Tokenizer,
    kind: EvaluationProtocol,
    context: Int,
    limit: Int? = nil
  ) throws {
    let text = try source.read()
    let beginning = kind == .llamaCPP ? try tokenizer.addedBeginning() : nil
    try self.init(
      tokens: (beginning.map { [$0] } ?? []) + tokenizer.encode(text),
      name: source.description,
      kind: kind,
      context: context,
      limit: limit,
      beginning: beginning
    )
  }
}
