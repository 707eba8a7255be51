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

  /// Rows or columns are divided at multiples of this, as the kernels divide them too.
  private static let unit = 32
  /// The most parts; as many as even out two to eight threads without much packing in each.
  private static let mostParts = 16

  /// Computes the product of `[rows, depth]` and `[depth, columns]`.
  ///
  /// Its parts follow from the shape alone: OpenBLAS may compute a product of another shape by
  /// another kernel, and results do not depend on the number of threads.
  func compute(rows: Int, columns: Int, depth: Int) {
    let byRows = rows >= columns
    let extent = byRows ? rows : columns
    let units = (extent + Self.unit - 1) / Self.unit
    guard 2 * rows * columns * depth > 1_000_000, units > 1 else {
      return compute(0..<rows, 0..<columns, depth)
    }
    let size = (units + Self.mostParts - 1) / Self.mostParts * Self.unit
    let count = (extent + size - 1) / size
    parallelRanges(count) { parts in
      for index in parts {
        let part = index * size..<min((index + 1) * size, extent)
        compute(byRows ? part : 0..<rows, byRows ? 0..<columns : part, depth)
      }
    }
  }

  private func compute(_ rows: Range<Int>, _ columns: Range<Int>, _ depth: Int) {
    // Reading it tells OpenBLAS to have no threads.
    _ = Parallelism.threadCount
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
