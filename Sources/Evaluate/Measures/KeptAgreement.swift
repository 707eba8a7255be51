/// How far a model's predictions are at least from a reference's, of which the most likely tokens
/// are known.
///
/// With the `k` kept tokens of a position and all others as one outcome, `P'` and `Q'`:
///
///     bound of a token = D(P' ‖ Q') ≤ D(P ‖ Q)     in nats, from 0
///
/// No grouping of outcomes can increase a divergence (the data-processing inequality); with all
/// tokens kept both are equal. Whether the most probable token is the same is known exactly.
///
/// Source: Cover and Thomas, *Elements of Information Theory*, 2006, section 2.7, the log sum
/// inequality. What is kept is in 16 bits, which moves a divergence by at most about 2e-4 of it.
public struct KeptAgreement: Sendable, Hashable, Codable {
  /// The bounds, and agreement of first choices.
  public let distance: PredictionDistance
  /// The mean probability that the reference gives the kept tokens, in `0...1`: near 1 the bound is
  /// near the divergence.
  public let keptProbability: Double
  /// How many tokens of a position are kept.
  public let topK: Int

  init(_ distance: PredictionDistance, keptProbability: Double, topK: Int) {
    (self.distance, self.keptProbability, self.topK) = (distance, keptProbability, topK)
  }
}
