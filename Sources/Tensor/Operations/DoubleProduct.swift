internal import COpenBLAS

/// A product of matrices of `float64`, by OpenBLAS on all threads of the pool.
///
///     result (+)= alpha · first · second
struct DoubleProduct: @unchecked Sendable {
  /// A matrix that may be taken transposed.
  struct Factor {
    let base: UnsafePointer<Double>
    /// Elements from one row to the next, as it lies.
    let step: Int
    let isTransposed: Bool

    init(_ base: UnsafePointer<Double>, _ step: Int, _ isTransposed: Bool) {
      (self.base, self.step, self.isTransposed) = (base, step, isTransposed)
    }

    /// The address of an element of the factor.
    fileprivate func start(row: Int, column: Int) -> UnsafePointer<Double> {
      base + (isTransposed ? column * step + row : row * step + column)
    }

    fileprivate var transposition: CBLAS_TRANSPOSE { isTransposed ? CblasTrans : CblasNoTrans }
  }

  let first: Factor
  let second: Factor
  let result: UnsafeMutablePointer<Double>
  /// Elements from one row of the result to the next.
  let step: Int
  let alpha: Double
  let accumulating: Bool

  /// Rows or columns are divided at multiples of this, where the kernels divide them too: results
  /// do not depend on the number of threads.
  private static let unit = 32

  /// Computes the product of `[rows, depth]` and `[depth, columns]`.
  func compute(rows: Int, columns: Int, depth: Int) {
    // Also tells OpenBLAS to have no threads.
    guard Parallelism.threadCount > 1, 2 * rows * columns * depth > 1_000_000 else {
      return compute(0..<rows, 0..<columns, depth)
    }
    let byRows = rows >= columns
    let extent = byRows ? rows : columns
    parallelRanges((extent + Self.unit - 1) / Self.unit) { units in
      let part = units.lowerBound * Self.unit..<min(units.upperBound * Self.unit, extent)
      compute(byRows ? part : 0..<rows, byRows ? 0..<columns : part, depth)
    }
  }

  private func compute(_ rows: Range<Int>, _ columns: Range<Int>, _ depth: Int) {
    cblas_dgemm(
      CblasRowMajor,
      first.transposition,
      second.transposition,
      Int32(rows.count),
      Int32(columns.count),
      Int32(depth),
      alpha,
      first.start(row: rows.lowerBound, column: 0),
      Int32(max(1, first.step)),
      second.start(row: 0, column: columns.lowerBound),
      Int32(max(1, second.step)),
      accumulating ? 1 : 0,
      result + rows.lowerBound * step + columns.lowerBound,
      Int32(max(1, step))
    )
  }
}
