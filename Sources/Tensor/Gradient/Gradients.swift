/// The gradients of parameters, each of its parameter's shape and dtype.
public struct Gradients {
  private var sums: [ObjectIdentifier: Tensor] = [:]

  /// Makes an empty collection.
  public init() {}

  /// The gradient by a parameter; nil if nothing depended on it.
  public subscript(parameter: Parameter) -> Tensor? {
    get { sums[ObjectIdentifier(parameter)] }
    set { sums[ObjectIdentifier(parameter)] = newValue?.detached }
  }

  /// Removes and returns a gradient, so that it can be changed without a copy.
  public mutating func take(_ parameter: Parameter) -> Tensor? {
    sums.removeValue(forKey: ObjectIdentifier(parameter))
  }

  /// The number of parameters with a gradient.
  public var count: Int { sums.count }
}
