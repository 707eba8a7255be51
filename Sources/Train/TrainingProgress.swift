/// How far a training is, reported after each step.
public struct TrainingProgress: Sendable {
  /// Steps done, those before a resumption included.
  public let step: Int
  /// Steps to do.
  public let steps: Int
  /// The loss of the step: the mean over its counted tokens, in nats.
  public let loss: Double
  /// The mean of recent losses, each step counting 5 % less than the next.
  public let smoothedLoss: Double
  /// The learning rate of the step.
  public let rate: Double
  /// The norm of the step's gradient before clipping.
  public let gradientNorm: Double
  /// The validation loss, if the step was followed by a validation.
  public let validationLoss: Double?
  /// Whether that was the least so far.
  public let isBest: Bool
  /// Counted tokens per second since this process took up the training, validations included.
  public let tokensPerSecond: Double
  /// The time left at that speed.
  public let timeLeft: Duration
}

/// How a training ended.
public struct TrainingResult: Sendable, Hashable {
  /// A measured validation loss.
  public struct Validation: Sendable, Hashable, Codable {
    /// The step after which it was measured; 0 before the first.
    public var step: Int
    /// The mean loss, in nats.
    public var loss: Double

    /// Creates a record of a validation.
    public init(step: Int, loss: Double) {
      self.step = step
      self.loss = loss
    }
  }

  /// Steps done.
  public let steps: Int
  /// Whether validation stopped improving before the last step.
  public let stoppedEarly: Bool
  /// Counted tokens of all steps.
  public let tokenCount: Int
  /// The loss of the last step.
  public let lastLoss: Double
  /// All validations, in their order.
  public let validations: [Validation]
  /// The validation whose parameters were restored at the end; nil if those of the last step stay.
  public let restored: Validation?
}
