/// How far two models' predictions are apart over the counted tokens of a text: divergences, and how
/// often the first choice is the same.
public struct PredictionDistance: Sendable, Hashable, Codable {
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

  init(divergences: SampleStatistics, agreements: SampleStatistics) {
    meanDivergence = divergences.mean
    meanDivergenceStandardError = divergences.standardError
    divergence99 = divergences.quantile(0.99)
    largestDivergence = divergences.values.max() ?? 0
    sameTop = agreements.mean
    sameTopStandardError = agreements.standardError
  }
}
