public import Tensor

/// A differentiable operation with small inputs, to be checked in every way that applies to all.
///
/// ```swift
/// let normalizationCases = [
///   OperationCase("rmsNorm", covers: ["rmsNorm"], [.normal([3, 20]), .normal([20])]) {
///     $0[0].rmsNorm(weight: $0[1], epsilon: 1e-5)
///   }
/// ]
/// ```
public struct OperationCase: Sendable, CustomStringConvertible {
  /// What is done with which kind of input.
  public let name: String
  /// The names of the public functions that the case runs: `rmsNorm`, `+`.
  public let covers: [String]
  /// What the inputs are drawn from.
  public let inputs: [OperationInput]
  /// How far results and gradients in `float32` may lie from those in `float64`, as a fraction of
  /// the largest magnitude among them.
  public let singleTolerance: Double
  /// Runs the operation on inputs that are all `float32` or all `float64`.
  public let build: @Sendable ([Tensor]) -> Tensor

  /// Makes a case.
  ///
  /// - Parameters:
  ///   - name: What is done with which kind of input.
  ///   - covers: The names of the public functions that the case runs.
  ///   - inputs: What to differentiate by; the same numbers for either dtype.
  ///   - singleTolerance: How far `float32` may lie from `float64`, as a fraction of the largest
  ///     magnitude.
  ///   - build: Runs the operation; constants must take the dtype of the inputs.
  public init(
    _ name: String,
    covers: [String],
    _ inputs: [OperationInput],
    singleTolerance: Double = 2e-6,
    _ build: @escaping @Sendable ([Tensor]) -> Tensor
  ) {
    self.name = name
    self.covers = covers
    self.inputs = inputs
    self.singleTolerance = singleTolerance
    self.build = build
  }

  /// The name.
  public var description: String { name }

  /// Parameters with the case's inputs, numbers that `float32` can hold.
  func parameters(_ dtype: DType) -> [Parameter] {
    var random = Random(seed: 11)
    return inputs.enumerated().map { index, input in
      let numbers = (0..<input.shape.count).map { _ in Float(input.draw(&random)) }
      return Parameter("input \(index)", Tensor(numbers, shape: input.shape).converted(to: dtype))
    }
  }
}

/// What the numbers of one input are drawn from.
public struct OperationInput: Sendable {
  /// The input's shape.
  public let shape: Shape
  /// Draws one number.
  public let draw: @Sendable (inout Random) -> Double

  /// Makes an input of numbers that `draw` returns.
  public init(_ shape: Shape, _ draw: @escaping @Sendable (inout Random) -> Double) {
    self.shape = shape
    self.draw = draw
  }

  /// Normal numbers.
  public static func normal(_ shape: Shape, mean: Double = 0, deviation: Double = 1) -> Self {
    Self(shape) { mean + deviation * $0.normal() }
  }

  /// Numbers spread evenly over a range.
  public static func uniform(_ shape: Shape, in range: Range<Double>) -> Self {
    Self(shape) { range.lowerBound + (range.upperBound - range.lowerBound) * $0.uniform() }
  }

  /// Numbers of either sign with magnitudes in `0.3..<2`: for functions with a kink or a pole at 0.
  public static func apart(_ shape: Shape) -> Self {
    Self(shape) { (0.3 + 1.7 * $0.uniform()) * ($0.uniform() < 0.5 ? -1 : 1) }
  }
}
