public import Tensor

/// Root-mean-square normalization with a scale per channel.
public struct Normalization {
  /// The name under Hugging Face's convention, such as `model.norm`.
  public let name: String
  /// The scale as stored, `[channels]`.
  public let weight: Tensor
  /// Added to the mean square.
  public let epsilon: Double

  private let wideWeight: Tensor

  /// Makes a normalization.
  public init(name: String, weight: Tensor, epsilon: Double) {
    self.name = name
    self.weight = weight
    self.epsilon = epsilon
    self.wideWeight = weight.converted(to: .float32)
  }

  /// Returns `x` normalized, `[..., channels]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.rmsNorm(weight: wideWeight, epsilon: epsilon)
  }
}
