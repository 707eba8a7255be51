public import Tensor

/// What a linear layer multiplies by, in one of several representations.
public protocol LinearWeight: Sendable {
  /// How the numbers are stored.
  var format: WeightFormat { get }
  /// The matrix as stored, `[outputs, inputs]`, for products and row look-ups.
  var matrix: StoredMatrix { get }
  /// The tensors that make up the weight, by the suffix under which they are saved.
  var parts: [(suffix: String, tensor: Tensor)] { get }
}

extension LinearWeight {
  /// The number of outputs.
  public var rows: Int { matrix.rows }
  /// The number of inputs.
  public var columns: Int { matrix.columns }
  /// The size in bytes, everything counted.
  public var byteCount: Int { format.byteCount(rows: rows, columns: columns) }
  /// The weights in float32, `[outputs, inputs]`; a copy.
  public var dense: Tensor { matrix.widened() }
}
