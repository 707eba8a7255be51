internal import COpenBLAS

extension Tensor {
  /// Returns the upper factor of the inverse of a symmetric positive definite matrix.
  ///
  ///     inverse(self) = Uᵀ · U
  ///
  /// This is what GPTQ and SparseGPT walk along: row `i` of `U` tells how the error of column `i`
  /// is best made up for by the columns after it.
  ///
  /// - Returns: `[N, N]`, zero below the diagonal.
  /// - Throws: ``NotPositiveDefinite``.
  /// - Precondition: `[N, N]` of `float64`; only the lower triangle is read.
  /// - Complexity: `4/3 · N³` operations, by LAPACK.
  public func inverseFactor() throws(NotPositiveDefinite) -> Tensor {
    try inverseOfPositiveDefinite().choleskyFactor(isUpper: true)
  }

  /// Adds a multiple of a product of parts of matrices to a part of this one.
  ///
  ///     self[:, columns] += alpha · first[:, inner] · second[inner', columns]
  ///
  /// where `inner'` are as many rows of `second` as `inner` has columns, from `row` on.
  ///
  /// - Parameters:
  ///   - alpha: The factor.
  ///   - first: `[M, any]`, `float64`.
  ///   - inner: Columns of `first`.
  ///   - second: `[any, N]`, `float64`.
  ///   - row: The first of the rows of `second`.
  ///   - columns: Columns of `self`, `[M, N]`, and of `second`.
  package mutating func addProduct(
    _ alpha: Double,
    _ first: Tensor,
    _ inner: Range<Int>,
    _ second: Tensor,
    fromRow row: Int,
    columns: Range<Int>
  ) {
    require(
      dtype == .float64 && first.dtype == .float64 && second.dtype == .float64
        && first.shape[0] == shape[0] && second.shape[1] == shape[1]
        && inner.upperBound <= first.shape[1] && row + inner.count <= second.shape[0]
        && columns.upperBound <= shape[1],
      "addProduct: parts of \(first.shape) and \(second.shape) for \(shape)"
    )
    guard !columns.isEmpty && !inner.isEmpty && shape[0] > 0 else { return }
    _ = Parallelism.threadCount
    makeUnique()
    cblas_dgemm(
      CblasRowMajor,
      CblasNoTrans,
      CblasNoTrans,
      Int32(shape[0]),
      Int32(columns.count),
      Int32(inner.count),
      alpha,
      first.doubles(inner.lowerBound),
      Int32(first.shape[1]),
      second.doubles(row * second.shape[1] + columns.lowerBound),
      Int32(second.shape[1]),
      1,
      doubles(columns.lowerBound),
      Int32(shape[1])
    )
    withExtendedLifetime((first, second)) {}
  }
}
