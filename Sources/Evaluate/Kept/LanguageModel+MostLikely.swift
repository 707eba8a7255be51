package import Models
package import Tensor

extension LanguageModel {
  /// The most likely tokens after hidden states, a chunk of logits at a time.
  ///
  /// - Parameters:
  ///   - hidden: Normalized hidden states, `[M, D]`.
  ///   - count: How many tokens, `k`.
  ///   - vocabulary: How many first tokens count.
  ///   - common: The tokens that count, if they are not the first; results are their places.
  ///   - temperature: What logits are divided by.
  /// - Returns: `M` rows; nil if a probability is not a number.
  package func mostLikelyTokens(
    after hidden: Tensor,
    count: Int,
    vocabulary: Int,
    common: CommonTokens? = nil,
    temperature: Double = 1
  ) -> MostLikelyTokens? {
    let length = max(1, (64 << 20) / (4 * configuration.vocabularySize))
    var tokens: [Int32] = []
    var (probabilities, rest) = ([Float](), [Float]())
    for first in stride(from: 0, to: hidden.shape[0], by: length) {
      let states = hidden.rows(first..<min(hidden.shape[0], first + length))
      let logits = head.headMatrix.logits(of: states)
      let known = MostLikelyTokens(
        of: common?.reference(logits) ?? logits,
        count: count,
        vocabulary: vocabulary,
        temperature: temperature
      )
      guard known.probabilities.allSatisfy(\.isFinite), known.rest.allSatisfy(\.isFinite) else {
        return nil
      }
      tokens += known.tokens
      probabilities += known.probabilities
      rest += known.rest
    }
    return MostLikelyTokens(
      count: count,
      tokens: tokens,
      probabilities: probabilities,
      rest: rest
    )
  }
}
