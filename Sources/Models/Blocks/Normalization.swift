public import Tensor

/// Root-mean-square normalization with a scale per channel.
public final class Normalization {
  /// The name under Hugging Face's convention, such as `model.norm`.
  public let name: String
  /// Added to the mean square.
  public let epsilon: Double
  /// The scale while it is trained, `[channels]`, float32.
  package private(set) var parameter: Parameter?

  private var stored: Tensor
  private var wideWeight: Tensor

  /// Makes a normalization.
  public init(name: String, weight: Tensor, epsilon: Double) {
    self.name = name
    self.stored = weight
    self.epsilon = epsilon
    self.wideWeight = weight.converted(to: .float32)
  }

  /// The scale as stored, `[channels]`.
  public var weight: Tensor { parameter?.value.detached ?? stored }

  /// Replaces the scale by another of its shape, in the type in which it is to be stored.
  ///
  /// - Precondition: The scale is not trained.
  package func setWeight(_ weight: Tensor) {
    require(
      weight.shape == stored.shape && parameter == nil,
      "normalization: \(name) is \(stored.shape), not \(weight.shape), or is trained"
    )
    stored = weight
    wideWeight = weight.converted(to: .float32)
  }

  /// Makes the scale a parameter, or returns the one it is.
  package func makeTrainable() -> Parameter {
    if let parameter { return parameter }
    let new = Parameter("\(name).weight", wideWeight.copied())
    parameter = new
    return new
  }

  /// Ends training: the scale becomes a constant, stored as `dtype`, or as it was if nil.
  package func freeze(as dtype: DType?) {
    guard let trained = parameter?.value.detached else { return }
    stored = trained.converted(to: dtype ?? stored.dtype)
    wideWeight = stored.converted(to: .float32)
    parameter = nil
  }

  /// Returns `x` normalized, `[..., channels]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.rmsNorm(weight: parameter?.value ?? wideWeight, epsilon: epsilon)
  }

  /// Returns `x` normalized as the input of linear layers.
  func input(_ x: Tensor) -> LayerInput {
    let normalized = self(x)
    guard normalized.isRecorded else { return LayerInput(normalized) }
    let (source, scale, epsilon) = (x.detached, (parameter?.value ?? wideWeight).detached, epsilon)
    return LayerInput(normalized) { source.rmsNorm(weight: scale, epsilon: epsilon) }
  }
}
