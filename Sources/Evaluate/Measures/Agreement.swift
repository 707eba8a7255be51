internal import Foundation

/// How far a model's predictions are from a reference model's, over the counted tokens of a text.
///
/// With `P` the reference's and `Q` the model's distribution of the next token:
///
///     divergence of a token = D(P ‖ Q) = Σ_v P(v) · (log P(v) − log Q(v))     in nats, from 0
///
/// Standard errors take the same observations as ``Perplexity``'s.
public struct Agreement: Sendable, Hashable, Codable {
  /// Divergences, and agreement of first choices.
  public let distance: PredictionDistance
  /// The mean loss minus the reference's, in nats; the perplexities' ratio is `exp` of it.
  public let lossIncrease: Double
  /// The standard error of that difference, taken pair by pair; nil if there is only one
  /// observation.
  public let lossIncreaseStandardError: Double?

  /// The model's perplexity divided by the reference's.
  public var perplexityRatio: Double { exp(lossIncrease) }

  init(_ distance: PredictionDistance, increases: SampleStatistics) {
    self.distance = distance
    lossIncrease = increases.mean
    lossIncreaseStandardError = increases.standardError
  }
}
