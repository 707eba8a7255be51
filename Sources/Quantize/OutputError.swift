internal import CKernels
package import Tensor

/// How far a layer's outputs move when its weight is replaced, over all inputs of which a Gram
/// matrix was collected.
package struct OutputError {
  /// `Σ ‖(W − Q) x‖²`.
  package let squaredError: Double
  /// `Σ ‖W x‖²`.
  package let squaredNorm: Double

  /// The error as a share of the outputs' squares, from 0; 0 if the outputs are.
  package var relative: Double { squaredNorm > 0 ? squaredError / squaredNorm : 0 }

  /// Takes sums as they are.
  init(squaredError: Double, squaredNorm: Double) {
    self.squaredError = squaredError
    self.squaredNorm = squaredNorm
  }

  /// Measures outputs of `quantized` against those of `original`, `[outputs, inputs]`, float32.
  ///
  /// - Complexity: `2 · outputs · inputs²` operations, for a slice of rows at a time.
  package init(_ original: Tensor, _ quantized: Tensor, gram: Tensor) {
    self.init(StoredMatrix(original), StoredMatrix(quantized), gram: gram)
  }

  /// Measures outputs of `quantized` against those of `original`, `[outputs, inputs]`.
  ///
  /// With `D` the difference and `G` the Gram matrix, `Σ ‖D x‖²` is the sum of the products of the
  /// elements of `Dᵀ · D` and `G`. The former are computed in float32, half of them, and summed in
  /// float64: errors typically are right to 1e-6 of what they would be if inputs were not
  /// correlated.
  ///
  /// - Parameters:
  ///   - original: The weight that is replaced.
  ///   - quantized: What replaces it.
  ///   - gram: The Gram matrix of the inputs, `[inputs, inputs]`, `float64`.
  ///   - known: What was measured of another replacement, whose sum of squares is the same.
  /// - Complexity: `2 · outputs · inputs²` operations, half of that with `known`, for a slice of
  ///   rows at a time.
  package init(
    _ original: StoredMatrix,
    _ quantized: StoredMatrix,
    gram: Tensor,
    known: OutputError? = nil
  ) {
    let rows = original.rows
    var (error, norm) = (0.0, known?.squaredNorm ?? 0)
    for start in stride(from: 0, to: rows, by: 4096) {
      let slice = start..<min(rows, start + 4096)
      let weights = original.rows(slice).widened()
      if known == nil { norm += gram.dot(lower: weights.columnProducts()) }
      let difference = weights - quantized.rows(slice).widened()
      error += gram.dot(lower: difference.columnProducts())
    }
    squaredError = max(0, error)
    squaredNorm = norm
  }
}

extension Tensor {
  /// Returns the sum of products of a symmetric matrix's elements, `float64`, with those of another
  /// one, `float32`, of which the lower triangle is known.
  fileprivate func dot(lower other: Tensor) -> Double {
    require(
      dtype == .float64 && other.dtype == .float32 && shape == other.shape,
      "output error: a Gram matrix \(shape) of \(dtype) for products \(other.shape)"
    )
    let width = shape.columns
    let sums = Tensor(uninitialized: [width], dtype: .float64)
    let (all, others) = (Shared(unsafeBase), Shared(other.unsafeBase))
    let target = Shared(sums.unsafeBase)
    parallelRanges(width, grain: 16) { rows in
      for row in rows {
        target.pointer.assumingMemoryBound(to: Double.self)[row] = slm_triangle_row_dot(
          all.pointer.assumingMemoryBound(to: Double.self) + row * width,
          others.pointer.assumingMemoryBound(to: Float.self) + row * width,
          Int64(row)
        )
      }
    }
    withExtendedLifetime((self, other)) {}
    return sums.sum()
  }

  /// The diagonal of a square matrix of `float64`, `[N]`.
  package var diagonal: Tensor {
    let width = shape[0]
    return withElements(as: Double.self) { all in
      Tensor((0..<width).map { all[$0 * width + $0] }, shape: [width])
    }
  }
}
