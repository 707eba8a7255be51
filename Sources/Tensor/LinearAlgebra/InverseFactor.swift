internal import COpenBLAS

extension Tensor {
  /// Returns the upper factor of the inverse of a symmetric positive definite matrix.
  ///
  ///     inverse(self) = Uᵀ · U
  ///
  /// This is what GPTQ and SparseGPT walk along: row `i` of `U` tells how the error of column `i`
  /// is best made up for by the columns after it.
  ///
  /// The inverse itself is never formed: with rows and columns in reverse the matrix is `L · Lᵀ`,
  /// and `U` is the inverse of `L` in reverse.
  ///
  /// - Returns: `[N, N]`, zero below the diagonal.
  /// - Throws: ``NotPositiveDefinite``, its minors counted from the last row.
  /// - Precondition: `[N, N]` of `float64`, symmetric.
  /// - Complexity: `2/3 · N³` operations, by LAPACK's `potrf` and `trtri`.
  public func inverseFactor() throws(NotPositiveDefinite) -> Tensor {
    let size = requireSquare("inverseFactor")
    require(dtype == .float64, "inverseFactor: \(dtype)")
    var factor = self
    // Both axes in reverse are all elements in reverse.
    factor.reverse()
    try factor.factorizeInPlace(isUpper: false)
    var (order, leading, status) = (Int32(size), Int32(size), Int32(0))
    // LAPACK counts by columns: what it calls upper is the lower triangle here. No element of the
    // diagonal is zero now, so that there is an inverse.
    Parallelism.withThreadsOfBLAS(order: size) {
      dtrtri_("U", "N", &order, factor.doubles(0), &leading, &status)
    }
    factor.reverse()
    for row in 1..<max(1, size) {
      factor.doubles(row * size).update(repeating: 0, count: row)
    }
    return factor
  }

  /// Puts all elements of `float64` in reverse.
  private mutating func reverse() {
    makeUnique()
    let (count, elements) = (count, Shared(unsafeMutableDoubles))
    parallelRanges(count / 2, grain: 1 << 14) { part in
      for index in part {
        let other = count - 1 - index
        let kept = elements.pointer[index]
        elements.pointer[index] = elements.pointer[other]
        elements.pointer[other] = kept
      }
    }
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
    makeUnique()
    let factor = second.doubles(row * second.shape[1] + columns.lowerBound)
    DoubleProduct(
      first: .init(first.doubles(inner.lowerBound), first.shape[1], false),
      second: .init(factor, second.shape[1], false),
      result: doubles(columns.lowerBound),
      step: shape[1],
      alpha: alpha,
      accumulating: true
    ).compute(rows: shape[0], columns: columns.count, depth: inner.count)
    withExtendedLifetime((first, second)) {}
  }
}
