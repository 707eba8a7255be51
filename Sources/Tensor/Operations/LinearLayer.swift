extension Tensor {
  /// Returns the output of a linear layer, `x · Wᵀ + bias`.
  ///
  /// Backward: dx = dy · W, dW = dyᵀ · x, dbias = Σ_rows dy. The gradients of x and W are added
  /// where they are summed, without a temporary; x is kept only if W is differentiated by, and W
  /// only if x is.
  ///
  /// - Parameters:
  ///   - weight: `[N, K]`, of the dtype of `self`.
  ///   - bias: What is added to each output, `[N]`, of the dtype of `self`.
  ///   - precision: How the factors of all three products are rounded if they are `float32`;
  ///     `float64` is multiplied as it is.
  /// - Returns: `[..., N]` for `[..., K]`.
  /// - Precondition: The last axis of `self` is `K`, of `float32` or `float64`.
  /// - Complexity: `2·M·N·K` operations, backward at most twice as many. The bias's gradient is
  ///   summed in `float64`.
  public func linear(
    weight: Tensor,
    bias: Tensor? = nil,
    precision: ProductPrecision = .float32
  ) -> Tensor {
    linear(weight: weight, bias: bias, precision: precision, inputAgain: nil, weightAgain: nil)
  }

  /// Returns the output of a linear layer whose input need not be kept for the gradient of W, nor
  /// W for that of the input.
  ///
  /// - Parameters:
  ///   - weight: `[N, K]`, of the dtype of `self`.
  ///   - bias: What is added to each output, `[N]`, of the dtype of `self`.
  ///   - precision: How factors are rounded.
  ///   - inputAgain: Makes the elements of `self` again, without recording; a way that is cheaper
  ///     than keeping them, such as a normalization of something that is kept anyway. Nil to keep
  ///     them.
  ///   - weightAgain: Makes the elements of `weight` again; a way that needs less memory than
  ///     keeping them. Nil to keep them.
  /// - Returns: `[..., N]` for `[..., K]`.
  package func linear(
    weight: Tensor,
    bias: Tensor? = nil,
    precision: ProductPrecision = .float32,
    inputAgain: (() -> Tensor)?,
    weightAgain: (() -> Tensor)? = nil
  ) -> Tensor {
    requireReal("linear")
    require(
      shape.rank > 0 && weight.shape.rank == 2 && weight.shape[1] == shape.columns
        && weight.dtype == dtype,
      "linear: \(shape) of \(dtype) by the transpose of \(weight.shape) of \(weight.dtype)"
    )
    if let bias { requirePartner("linear: bias", bias, [weight.shape[0]]) }
    let (x, w) = (MatrixFactor(self), MatrixFactor(weight))
    let result = Tensor(
      uninitialized: shape.replacingColumns(with: weight.shape[0]),
      dtype: dtype
    )
    storeProduct(
      x,
      w.transposed,
      into: result,
      accumulating: false,
      bias: bias?.detached,
      precision: precision
    )
    let (inputShape, weightShape, type) = (shape, weight.shape, dtype)
    let isInputKept = weight.node != nil && inputAgain == nil
    let keptInput = isInputKept ? x : nil
    let keptWeight = node == nil || weightAgain != nil ? nil : w
    return result.recorded(
      "linear",
      [self, weight] + (bias.map { [$0] } ?? []),
      accumulating: { gradient, slots in
        let dy = MatrixFactor(gradient)
        if slots.isNeeded(0), let w = keptWeight ?? weightAgain.map({ MatrixFactor($0()) }) {
          slots.accumulate(into: 0, shape: inputShape, dtype: type) { buffer, isEmpty in
            storeProduct(dy, w, into: buffer, accumulating: !isEmpty, precision: precision)
          }
        }
        if slots.isNeeded(1), let x = keptInput ?? inputAgain.map({ MatrixFactor($0()) }) {
          slots.accumulate(into: 1, shape: weightShape, dtype: type) { buffer, isEmpty in
            storeProduct(
              dy.transposed,
              x,
              into: buffer,
              accumulating: !isEmpty,
              precision: precision
            )
          }
        }
        if slots.nodes.count == 3 && slots.isNeeded(2) {
          slots.add(gradient.columnSums().converted(to: type), to: 2)
        }
      }
    )
  }
}
