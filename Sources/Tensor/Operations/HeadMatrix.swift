/// The matrix that turns hidden states into logits, `[V, D]`.
public enum HeadMatrix: Sendable {
  /// A weight of the hidden states' dtype; usually a parameter's value, perhaps that of the
  /// embedding.
  case tensor(Tensor)
  /// A weight that is not trained, in any stored form.
  case stored(StoredMatrix)

  /// The number of tokens, `V`.
  public var vocabularySize: Int {
    switch self {
    case .tensor(let tensor): tensor.shape[0]
    case .stored(let matrix): matrix.rows
    }
  }

  /// The width of hidden states, `D`.
  public var width: Int {
    switch self {
    case .tensor(let tensor): tensor.shape[1]
    case .stored(let matrix): matrix.columns
    }
  }

  /// What is differentiated by, if anything.
  var trained: Tensor? {
    if case .tensor(let tensor) = self, tensor.node != nil { return tensor }
    return nil
  }

  /// The matrix as a constant.
  var detached: HeadMatrix {
    switch self {
    case .tensor(let tensor): .tensor(tensor.detached)
    case .stored: self
    }
  }

  /// Returns the logits of hidden states, not recorded.
  ///
  /// - Parameters:
  ///   - hidden: `[M, D]`.
  ///   - precision: How the factors of a product with a tensor are rounded.
  /// - Returns: `[M, V]`.
  public func logits(of hidden: Tensor, precision: ProductPrecision = .float32) -> Tensor {
    switch self {
    case .tensor(let tensor):
      hidden.detached.linear(weight: tensor.detached, precision: precision)
    case .stored(let matrix): hidden.detached.multiplied(by: matrix)
    }
  }

  /// Writes `dlogits · W`, or adds it.
  func storeHiddenGradient(
    of gradient: Tensor,
    into result: Tensor,
    accumulating: Bool,
    precision: ProductPrecision
  ) {
    switch self {
    case .tensor(let tensor):
      storeProduct(
        MatrixFactor(gradient),
        MatrixFactor(tensor.detached),
        into: result,
        accumulating: accumulating,
        precision: precision
      )
    case .stored(let matrix):
      matrix.storeInputGradient(of: gradient, into: result, accumulating: accumulating)
    }
  }

  func requireFit(_ operation: StaticString, _ hidden: Tensor) {
    hidden.requireReal(operation)
    if case .tensor(let tensor) = self {
      require(
        tensor.shape.rank == 2 && tensor.dtype == hidden.dtype,
        "\(operation): a head of \(tensor.shape) of \(tensor.dtype) for \(hidden.dtype)"
      )
    }
    require(
      hidden.shape.rank > 0 && hidden.shape.columns == width && vocabularySize > 0,
      "\(operation): \(hidden.shape) by the transpose of [\(vocabularySize), \(width)]"
    )
  }
}
