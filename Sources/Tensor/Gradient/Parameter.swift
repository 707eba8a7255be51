/// A named tensor that training changes.
///
/// ```swift
/// let weight = Parameter("weight", Tensor([1, 2] as [Float]))
/// let (loss, gradients) = differentiate([weight]) { (weight.value * weight.value).summed() }
/// gradients[weight]                  // [2, 4]
/// ```
public final class Parameter: @unchecked Sendable {
  /// The name under which the value is saved, such as `model.norm.weight`.
  public let name: String
  private var stored: Tensor
  /// Stands for the value while it is being differentiated by.
  var leaf: GradientNode?

  /// Makes a parameter.
  ///
  /// - Precondition: `float32` or `float64`.
  public init(_ name: String, _ value: Tensor) {
    value.requireReal("parameter")
    self.name = name
    self.stored = value.detached
  }

  /// The extents of the value.
  public var shape: Shape { stored.shape }
  /// The type of the value's elements.
  public var dtype: DType { stored.dtype }
  /// The number of elements.
  public var count: Int { stored.count }

  /// The present value: recorded inside ``differentiate(_:_:)`` by this parameter, plain outside.
  ///
  /// - Precondition: A new value has the shape and dtype of the old one.
  public var value: Tensor {
    get {
      guard let leaf else { return stored }
      var value = stored
      value.node = leaf
      return value
    }
    set {
      requireSame(newValue)
      stored = newValue.detached
    }
  }

  /// Changes the value in place, without a copy if nobody else holds it.
  ///
  /// - Precondition: Shape and dtype stay.
  public func update<Failure: Error>(_ body: (inout Tensor) throws(Failure) -> Void)
    throws(Failure)
  {
    let (shape, dtype) = (shape, dtype)
    try body(&stored)
    require(
      stored.shape == shape && stored.dtype == dtype && stored.node == nil,
      "parameter \(name): an update made \(shape) of \(dtype) \(stored.shape) of \(stored.dtype)"
    )
  }

  private func requireSame(_ value: Tensor) {
    require(
      value.shape == shape && value.dtype == dtype,
      "parameter \(name): \(value.shape) of \(value.dtype) is not \(shape) of \(dtype)"
    )
  }
}
