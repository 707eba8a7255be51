/// Returns the product of two matrices, either of which may be taken transposed.
///
///     y = alpha · op(a) · op(b)   (+ accumulated)
///
/// Backward: d op(a) = alpha · dy · op(b)ᵀ, d op(b) = alpha · op(a)ᵀ · dy, each added where the
/// gradient is summed, and daccumulated = dy. Keeps the factor that each needs.
///
/// - Parameters:
///   - first: `[M, K]`, or `[K, M]` if transposed.
///   - second: `[K, N]`, or `[N, K]` if transposed.
///   - firstTransposed: Whether `first` is used as its transpose.
///   - secondTransposed: Whether `second` is used as its transpose.
///   - alpha: A factor of the product.
///   - accumulated: What the product is added to, `[M, N]`.
/// - Returns: `[M, N]`.
/// - Precondition: All are of one dtype, `float32` or `float64`, and the inner extents agree.
/// - Complexity: `2·M·N·K` operations. `float64` through `cblas_dgemm`.
public func matrixProduct(
  _ first: Tensor,
  _ second: Tensor,
  firstTransposed: Bool = false,
  secondTransposed: Bool = false,
  alpha: Double = 1,
  accumulated: Tensor? = nil
) -> Tensor {
  require(
    first.shape.rank == 2 && second.shape.rank == 2,
    "matrixProduct: \(first.shape) × \(second.shape) are not matrices"
  )
  let a = MatrixFactor(first, transposed: firstTransposed)
  let b = MatrixFactor(second, transposed: secondTransposed)
  let shape: Shape = [a.rows, b.columns]
  require(
    a.columns == b.rows,
    "matrixProduct: inner extents differ: \(first.shape) × \(second.shape)"
  )
  require(
    first.dtype == second.dtype && (first.dtype == .float32 || first.dtype == .float64),
    "matrixProduct: \(first.dtype) × \(second.dtype)"
  )
  require(
    accumulated.map { $0.shape == shape && $0.dtype == first.dtype } ?? true,
    "matrixProduct: accumulated is not \(shape) of \(first.dtype)"
  )
  let result = accumulated?.detached.copied() ?? Tensor(uninitialized: shape, dtype: first.dtype)
  storeProduct(a, b, into: result, accumulating: accumulated != nil, alpha: alpha)
  let (firstShape, secondShape, dtype) = (first.shape, second.shape, first.dtype)
  let (keptFirst, keptSecond) = (second.node == nil ? nil : a, first.node == nil ? nil : b)
  return result.recorded(
    "matrixProduct",
    [first, second] + (accumulated.map { [$0] } ?? []),
    accumulating: { gradient, slots in
      let dy = MatrixFactor(gradient)
      if let b = keptSecond {
        slots.accumulate(into: 0, shape: firstShape, dtype: dtype) { buffer, isEmpty in
          let factors = firstTransposed ? (b, dy.transposed) : (dy, b.transposed)
          storeProduct(factors.0, factors.1, into: buffer, accumulating: !isEmpty, alpha: alpha)
        }
      }
      if let a = keptFirst {
        slots.accumulate(into: 1, shape: secondShape, dtype: dtype) { buffer, isEmpty in
          let factors = secondTransposed ? (dy.transposed, a) : (a.transposed, dy)
          storeProduct(factors.0, factors.1, into: buffer, accumulating: !isEmpty, alpha: alpha)
        }
      }
      if slots.nodes.count == 3 { slots.add(gradient, to: 2) }
    }
  )
}
