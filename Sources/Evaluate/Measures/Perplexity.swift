internal import Foundation

/// How well a model predicts a text.
///
///     mean loss  = −1/n · Σ log P(token | the tokens before it in its window)     in nats
///     perplexity = exp(mean loss)
///
/// Which predictions count is defined by ``EvaluationText``. The logarithms are taken of logits in
/// float32; sums are in double.
public struct Perplexity: Sendable, Hashable, Codable {
  /// The mean over all counted tokens of the negative log-likelihood, in nats.
  public let meanLoss: Double
  /// The standard error of the mean loss, in nats; nil if there is only one observation.
  ///
  /// In the protocol `windows` an observation is the mean of a window, `s(means) / √W`; in
  /// `llama.cpp` it is a token, `√((mean(x²) − mean(x)²) / (n − 1))`, as that tool has it.
  public let meanLossStandardError: Double?
  /// The number `n` of counted tokens.
  public let tokenCount: Int
  /// The number `W` of windows.
  public let windowCount: Int

  /// `exp(mean loss)`.
  public var value: Double { exp(meanLoss) }

  /// The standard error of the perplexity by the delta method, `exp(mean loss)` times the mean
  /// loss's; nil if there is only one observation.
  public var standardError: Double? { meanLossStandardError.map { $0 * value } }

  init(_ losses: SampleStatistics) {
    meanLoss = losses.mean
    meanLossStandardError = losses.standardError
    tokenCount = losses.values.count
    windowCount = losses.windowMeans.count
  }
}
