public import Pipeline
package import Tensor

/// How far a student's probabilities are from the teacher's, and what counts beside it.
public struct DivergenceOptions: OptionGroup {
  /// The measure of the distance.
  public var loss = DivergenceKind.forwardKL
  /// The share of the teacher in Jensen and Shannon's mixture.
  public var beta = 0.5
  /// The share of the other distribution in a skewed mixture.
  public var alpha = 0.1
  /// What logits are divided by.
  public var temperature = 1.0
  /// The share of the text's own tokens.
  public var crossEntropy = 0.0

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<DivergenceOptions>] {
    [
      .field(
        "loss",
        \.loss,
        "How the distance of the student's probabilities q from the teacher's p is measured."
      ),
      .field(
        "beta",
        \.beta,
        in: .above(0.0, through: 0.999),
        "For `jensen_shannon`: how much of the mixture is p. Near 0 it resembles `forward_kl`, near "
          + "1 `reverse_kl`."
      ),
      .field(
        "alpha",
        \.alpha,
        in: 0..<1,
        "For `skew_forward` and `skew_reverse`: how much is mixed in of the distribution that the "
          + "distance is measured from."
      ),
      .field(
        "temperature",
        \.temperature,
        in: .above(0.0, through: 100),
        "What the logits of both are divided by; above 1 unlikely tokens count more. The distance "
          + "is multiplied by its square, which keeps gradients of one size."
      ),
      .field(
        "cross_entropy",
        \.crossEntropy,
        in: 0..<1,
        "The share of the cross-entropy with the text's own tokens in the loss; the rest is the "
          + "distance from the teacher."
      ),
    ]
  }

  /// The distance as the losses take it.
  package var divergence: Divergence {
    switch loss {
    case .forwardKL: .forwardKL
    case .reverseKL: .reverseKL
    case .jensenShannon: .jensenShannon(beta: beta)
    case .skewForward: .skewForward(alpha: alpha)
    case .skewReverse: .skewReverse(alpha: alpha)
    case .totalVariation: .totalVariation
    }
  }
}

/// A distance of probabilities.
public enum DivergenceKind: String, RecipeChoice {
  case forwardKL = "forward_kl"
  case reverseKL = "reverse_kl"
  case jensenShannon = "jensen_shannon"
  case skewForward = "skew_forward"
  case skewReverse = "skew_reverse"
  case totalVariation = "total_variation"

  /// What the choice means.
  public var summary: String {
    switch self {
    case .forwardKL: "KL(p ‖ q): the student covers all that the teacher finds likely"
    case .reverseKL: "KL(q ‖ p): the student keeps to what the teacher finds most likely"
    case .jensenShannon: "β·KL(p ‖ m) + (1−β)·KL(q ‖ m) with m = β·p + (1−β)·q"
    case .skewForward: "KL(p ‖ α·p + (1−α)·q): forward with bounded gradients"
    case .skewReverse: "KL(q ‖ (1−α)·p + α·q): reverse with bounded gradients"
    case .totalVariation: "half the sum of |p − q|"
    }
  }
}
