public import Tensor

/// One element per weight, in the dtype it was stored in.
public struct DenseWeight: LinearWeight {
  /// The elements, `[outputs, inputs]`.
  public let elements: Tensor

  /// Makes a weight of a matrix of any floating-point dtype.
  public init(_ elements: Tensor) { self.elements = elements }

  /// The dtype of the elements.
  public var format: WeightFormat { .elements(elements.dtype) }
  /// The matrix as stored.
  public var matrix: StoredMatrix { StoredMatrix(elements) }
  /// The elements, saved as `weight`.
  public var parts: [(suffix: String, tensor: Tensor)] { [("weight", elements)] }
}
