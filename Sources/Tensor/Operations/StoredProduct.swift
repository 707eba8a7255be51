internal import CKernels

extension Tensor {
  /// Returns the product with the transpose of a weight that is not trained, `x · Wᵀ + bias`.
  ///
  /// Each output is summed by one thread in one order, so results do not depend on the number of
  /// threads. `float32` throughout, or `float64` if `self` is.
  ///
  /// Backward: dx = dy · W, the weight widened 1024 rows at a time unless it is stored in the
  /// dtype of `self`, and dbias = Σ_rows dy.
  ///
  /// - Parameters:
  ///   - weight: `[N, K]`, in any stored form.
  ///   - bias: What is added to each output, `[N]`, of the dtype of `self`.
  /// - Returns: `[..., N]` for `[..., K]`.
  /// - Precondition: The last axis of `self` is `K`, of `float32` or `float64`.
  /// - Complexity: `2·M·N·K` operations; beyond the result at most 3 MB of packed numbers for
  ///   extents up to 2000, and 100 KB a thread. For `float64`, the whole widened weight.
  public func multiplied(by weight: StoredMatrix, bias: Tensor? = nil) -> Tensor {
    multiplied(by: weight, bias: bias, strips: nil)
  }

  /// Returns the product with the transpose of a weight whose blocks other than zero are known too:
  /// few rows of `float32` are multiplied by these.
  ///
  /// - Precondition: `strips` are of the weight; else as for ``multiplied(by:bias:)``.
  package func multiplied(
    by weight: StoredMatrix,
    bias: Tensor?,
    strips: StripMatrix?
  ) -> Tensor {
    requireReal("multiplied")
    require(
      shape.rank > 0 && shape.columns == weight.columns,
      "multiplied: \(shape) by the transpose of [\(weight.rows), \(weight.columns)]"
    )
    require(
      bias.map { $0.shape == [weight.rows] && $0.dtype == dtype } ?? true,
      "multiplied: bias is not [\(weight.rows)] of \(dtype)"
    )
    let result = Tensor(
      uninitialized: shape.replacingColumns(with: weight.rows),
      dtype: dtype
    )
    if dtype == .float32 {
      OperationClock.measure("matrix product") {
        if let strips, shape.rows <= StripMatrix.mostRows {
          require(
            strips.rows == weight.rows && strips.columns == weight.columns,
            "multiplied: strips of [\(strips.rows), \(strips.columns)] for another weight"
          )
          strips.multiply(detached, bias?.detached, into: result)
        } else {
          weight.storeOutput(of: self, bias, into: result)
        }
      }
    } else {
      storeProduct(
        MatrixFactor(self),
        MatrixFactor(weight.widened().converted(to: dtype), transposed: true),
        into: result,
        accumulating: false,
        bias: bias?.detached
      )
    }
    let (inputShape, type) = (shape, dtype)
    return result.recorded(
      "multiplied",
      [self] + (bias.map { [$0] } ?? []),
      accumulating: { gradient, slots in
        slots.accumulate(into: 0, shape: inputShape, dtype: type) { buffer, isEmpty in
          weight.storeInputGradient(of: gradient, into: buffer, accumulating: !isEmpty)
        }
        if slots.nodes.count == 2 && slots.isNeeded(1) {
          slots.add(gradient.columnSums().converted(to: type), to: 1)
        }
      }
    )
  }
}

extension StoredMatrix {
  /// Rows widened at a time: 2.3 MB for 576 columns, so that they are multiplied from the cache.
  private static let widenedRows = 1024

  /// Writes `dy · W` for `dy` of `[..., rows]`, or adds it.
  func storeInputGradient(of dy: Tensor, into result: Tensor, accumulating: Bool) {
    if case .elements(let elements) = storage, elements.dtype == dy.dtype {
      return storeProduct(
        MatrixFactor(dy),
        MatrixFactor(elements),
        into: result,
        accumulating: accumulating
      )
    }
    var accumulating = accumulating
    var start = 0
    repeat {
      let range = start..<min(rows, start + Self.widenedRows)
      storeProduct(
        MatrixFactor(rows == range.count ? dy : dy.columns(range)),
        MatrixFactor(widened(rows: range).converted(to: dy.dtype)),
        into: result,
        accumulating: accumulating
      )
      accumulating = true
      start = range.upperBound
    } while start < rows
  }
}

extension StoredMatrix {
  /// Writes `x · Wᵀ + bias` for `float32`.
  fileprivate func storeOutput(of x: Tensor, _ bias: Tensor?, into result: Tensor) {
    guard x.shape.rows > fewRows || columns == 0 else {
      return FewRowsProduct.compute(x, [FewRowsProduct(self, bias, result)])
    }
    withKernelMatrix { matrix in
      var product = slm_dense()
      product.a = slm_factor(
        data: x.unsafeFloats,
        extent: Int64(x.shape.rows),
        step: Int64(columns),
        depth_step: 1
      )
      product.b = slm_factor(data: nil, extent: Int64(rows), step: Int64(columns), depth_step: 1)
      if case .elements(let elements) = storage, elements.dtype == .float32 {
        product.b.data = elements.unsafeFloats
      } else {
        product.weight = matrix
      }
      product.depth = Int64(columns)
      product.scale = 1
      product.bias = bias.map { $0.unsafeFloats }
      product.c = result.unsafeMutableFloats
      product.c_step = Int64(rows)
      multiplyDense(product, .float32)
    }
    withExtendedLifetime((x, bias)) {}
  }
}
