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
  /// - Complexity: `4 · outputs · inputs²` operations in float64, for a slice of rows at a time.
  package init(_ original: Tensor, _ quantized: Tensor, gram: Tensor) {
    self.init(StoredMatrix(original), StoredMatrix(quantized), gram: gram)
  }

  /// Measures outputs of `quantized` against those of `original`, `[outputs, inputs]`.
  ///
  /// - Parameters:
  ///   - original: The weight that is replaced.
  ///   - quantized: What replaces it.
  ///   - gram: The Gram matrix of the inputs, `[inputs, inputs]`, `float64`.
  ///   - known: What was measured of another replacement, whose sum of squares is the same.
  /// - Complexity: `4 · outputs · inputs²` operations in float64, half of that with `known`, for a
  ///   slice of rows at a time.
  package init(
    _ original: StoredMatrix,
    _ quantized: StoredMatrix,
    gram: Tensor,
    known: OutputError? = nil
  ) {
    let rows = original.rows
    var (error, norm) = (0.0, known?.squaredNorm ?? 0)
    for start in stride(from: 0, to: rows, by: 512) {
      let slice = start..<min(rows, start + 512)
      let weights = original.rows(slice).widened().converted(to: .float64)
      let difference = weights - quantized.rows(slice).widened().converted(to: .float64)
      if known == nil { norm += matrixProduct(weights, gram).dot(weights) }
      error += matrixProduct(difference, gram).dot(difference)
    }
    squaredError = max(0, error)
    squaredNorm = norm
  }
}

extension Tensor {
  /// The diagonal of a square matrix of `float64`, `[N]`.
  package var diagonal: Tensor {
    let width = shape[0]
    return withElements(as: Double.self) { all in
      Tensor((0..<width).map { all[$0 * width + $0] }, shape: [width])
    }
  }
}
