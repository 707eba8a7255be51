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
  /// The mean of the bounds, in nats.
  public let meanDivergence: Double
  /// The standard error of that mean, in nats; nil if there is only one observation.
  public let meanDivergenceStandardError: Double?
  /// The bound that 99 % of tokens do not exceed, in nats.
  public let divergence99: Double
  /// The largest bound, in nats.
  public let largestDivergence: Double
  /// The fraction of tokens for which both models find the same token most probable; of equal
  /// logits the lower id counts.
  public let sameTop: Double
  /// The standard error of that fraction; nil if there is only one observation.
  public let sameTopStandardError: Double?
  /// The mean probability that the reference gives the kept tokens, in `0...1`: near 1 the bound is
  /// near the divergence.
  public let keptProbability: Double
  /// How many tokens of a position are kept.
  public let topK: Int

  init(
    divergences: SampleStatistics,
    agreements: SampleStatistics,
    keptProbability: Double,
    topK: Int
  ) {
    meanDivergence = divergences.mean
    meanDivergenceStandardError = divergences.standardError
    divergence99 = divergences.quantile(0.99)
    largestDivergence = divergences.values.max() ?? 0
    sameTop = agreements.mean
    sameTopStandardError = agreements.standardError
    (self.keptProbability, self.topK) = (keptProbability, topK)
  }
}
