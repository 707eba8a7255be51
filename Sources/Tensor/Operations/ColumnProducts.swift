internal import CKernels

extension Tensor {
  /// The products of all columns with one another, `selfᵀ · self`, in the lower triangle.
  ///
  /// Columns are read where they lie.
  ///
  /// - Returns: `[D, D]`, `float32`: element `(i, j)` with `j ≤ i` is the sum over rows of column
  ///   `i` times column `j`; elements above the diagonal are undefined.
  /// - Precondition: A matrix of `float32`.
  /// - Complexity: About `rows · D²` operations, half of the whole square's.
  package func columnProducts() -> Tensor {
    require(
      shape.rank == 2 && dtype == .float32,
      "columnProducts: \(shape), \(dtype)"
    )
    let columns = shape.columns
    let result = Tensor(uninitialized: [columns, columns], dtype: .float32)
    var product = slm_dense()
    product.a = slm_factor(
      data: unsafeFloats,
      extent: Int64(columns),
      step: 1,
      depth_step: Int64(columns)
    )
    product.b = product.a
    product.depth = Int64(shape.rows)
    product.scale = 1
    product.c = result.unsafeMutableFloats
    product.c_step = Int64(columns)
    product.only_lower = true
    OperationClock.measure("matrix product") { multiplyDense(product, .float32) }
    withExtendedLifetime((self, result)) {}
    return result
  }
}
