internal import Tokenizers

/// Trains a byte-level tokenizer.
///
/// - Parameters:
///   - texts: What to train on; not all are empty.
///   - vocabularySize: How many tokens there are at most.
///   - specialTokens: The tokens that no text contains; they get the ids from 0.
///   - endOfText: The one of these that begins and ends a text.
/// - Returns: The tokenizer.
/// - Throws: `TokenizerError` if there is no text or the vocabulary is too small.
func trainedTokenizer(
  on texts: [String],
  vocabularySize: Int,
  specialTokens: [String],
  endOfText: String
) throws -> Tokenizer {
  try BytePairTrainer(vocabularySize: vocabularySize, specialTokens: specialTokens)
    .train(texts, beginningOfText: endOfText, endOfText: endOfText)
}
