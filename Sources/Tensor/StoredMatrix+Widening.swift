internal import CKernels

extension StoredMatrix {
  /// Returns the matrix as `float32`, `[rows, columns]`.
  public func widened() -> Tensor { widened(rows: 0..<rows) }

  /// Returns some of the rows as `float32`, `[range, columns]`.
  ///
  /// - Precondition: The range lies within the rows.
  public func widened(rows range: Range<Int>) -> Tensor {
    require(
      range.lowerBound >= 0 && range.upperBound <= rows,
      "widened: \(range) outside \(rows) rows"
    )
    return widened(count: range.count) { Int64(range.lowerBound + $0) }
  }

  /// Returns the rows with the given indices as `float32`: an embedding lookup.
  ///
  /// - Parameter ids: Indices of rows, in any order and number.
  /// - Returns: `[ids, columns]`.
  /// - Precondition: Every index is that of a row.
  public func gathered(rows ids: [Int32]) -> Tensor {
    for id in ids { require(id >= 0 && id < rows, "gathered: row \(id) of \(rows)") }
    return widened(count: ids.count) { Int64(ids[$0]) }
  }

  private func widened(count: Int, row: @Sendable (Int) -> Int64) -> Tensor {
    let result = Tensor(uninitialized: [count, columns], dtype: .float32)
    let out = Shared(result.unsafeMutableElements(as: Float.self))
    let columns = columns
    withKernelMatrix { matrix in
      let matrix = Shared(matrix)
      parallelRanges(count, grain: max(1, 16384 / max(1, columns))) { range in
        for index in range {
          guard let base = out.pointer.baseAddress else { return }
          slm_matrix_widen(
            matrix.pointer,
            row(index),
            0,
            Int64(columns),
            base + index * columns
          )
        }
      }
    }
    return result
  }
}
