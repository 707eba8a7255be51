internal import Foundation

/// How far a model's predictions are from a reference model's, over the counted tokens of a text.
///
/// With `P` the reference's and `Q` the model's distribution of the next token:
///
///     divergence of a token = D(P ‖ Q) = Σ_v P(v) · (log P(v) − log Q(v))     in nats, from 0
///
/// Standard errors take the same observations as ``Perplexity``'s.
public struct Agreement: Sendable, Hashable, Codable {
  /// The mean divergence, in nats.
  public let meanDivergence: Double
  /// The standard error of the mean divergence, in nats; nil if there is only one observation.
  public let meanDivergenceStandardError: Double?
  /// The divergence that 99 % of tokens do not exceed, in nats.
  public let divergence99: Double
  /// The largest divergence, in nats.
  public let largestDivergence: Double
  /// The fraction of tokens for which both models find the same token most probable; of equal
  /// logits the lower id counts.
  public let sameTop: Double
  /// The standard error of that fraction; nil if there is only one observation.
  public let sameTopStandardError: Double?
  /// The mean loss minus the reference's, in nats; the perplexities' ratio is `exp` of it.
  public let lossIncrease: Double
  /// The standard error of that difference, taken pair by pair; nil if there is only one
  /// observation.
  public let lossIncreaseStandardError: Double?

  /// The model's perplexity divided by the reference's.
  public var perplexityRatio: Double { exp(lossIncrease) }

  init(
    divergences: SampleStatistics,
    agreements: SampleStatistics,
    increases: SampleStatistics
  ) {
    meanDivergence = divergences.mean
    meanDivergenceStandardError = divergences.standardError
    divergence99 = divergences.quantile(0.99)
    largestDivergence = divergences.values.max() ?? 0
    sameTop = agreements.mean
    sameTopStandardError = agreements.standardError
    lossIncrease = increases.mean
    lossIncreaseStandardError = increases.standardError
  }
}
