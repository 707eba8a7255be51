internal import CKernels

extension Tensor {
  /// The products of some columns with all columns up to the last of them: a band of the lower
  /// triangle of `selfᵀ · self`.
  ///
  /// Columns are read where they lie. With bands of `b` columns, the triangle of `D` columns takes
  /// `rows · D · (D + b)` operations, and the whole square `2 · rows · D²`.
  ///
  /// - Parameter band: The columns.
  /// - Returns: `[band.count, band.upperBound]`, `float32`: element `(i, j)` is the sum over rows of
  ///   column `band.lowerBound + i` times column `j`.
  /// - Precondition: A matrix of `float32`, and columns of it.
  package func columnProducts(_ band: Range<Int>) -> Tensor {
    require(
      shape.rank == 2 && dtype == .float32 && band.lowerBound >= 0
        && band.upperBound <= shape.columns,
      "columnProducts: columns \(band) of \(shape), \(dtype)"
    )
    let result = Tensor(uninitialized: [band.count, band.upperBound], dtype: .float32)
    let step = Int64(shape.columns)
    var product = slm_dense()
    product.a = slm_factor(
      data: unsafeFloats + band.lowerBound,
      extent: Int64(band.count),
      step: 1,
      depth_step: step
    )
    product.b = slm_factor(
      data: unsafeFloats,
      extent: Int64(band.upperBound),
      step: 1,
      depth_step: step
    )
    product.depth = Int64(shape.rows)
    product.scale = 1
    product.c = result.unsafeMutableFloats
    product.c_step = Int64(band.upperBound)
    OperationClock.measure("matrix product") { multiplyDense(product, .float32) }
    withExtendedLifetime((self, result)) {}
    return result
  }
}
