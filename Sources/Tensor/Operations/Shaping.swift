internal import CKernels

extension Tensor {
  /// Returns the transpose of a matrix, copied.
  ///
  /// - Precondition: Two axes, of `float32` or `float64`.
  public func transposed() -> Tensor {
    requireReal("transposed")
    require(shape.rank == 2, "transposed: \(shape) is no matrix")
    let (rows, columns) = (shape[0], shape[1])
    let y = Tensor(uninitialized: [columns, rows], dtype: dtype)
    withKernel(columns, grain: max(16, rowGrain(rows)), keeping: [self]) { range in
      let (begin, end) = (Int64(range.lowerBound), Int64(range.upperBound))
      if isSingle {
        slm_transpose_f32(floats(0), Int64(rows), Int64(columns), begin, end, y.floats(0))
      } else {
        slm_transpose_f64(doubles(0), Int64(rows), Int64(columns), begin, end, y.doubles(0))
      }
    }
    return y.recorded("transposed", [self]) { dy, _ in [dy.transposed()] }
  }

  /// Returns tensors one after another along the first axis.
  ///
  /// - Precondition: There is at least one, and all but their first extents agree.
  public static func concatenated(_ tensors: [Tensor]) -> Tensor {
    guard let first = tensors.first else { fail("concatenated: no tensors") }
    var length = 0
    for tensor in tensors {
      require(
        tensor.shape.rank > 0 && tensor.dtype == first.dtype
          && tensor.shape.dimensions.dropFirst() == first.shape.dimensions.dropFirst(),
        "concatenated: \(first.shape) of \(first.dtype) with \(tensor.shape) of \(tensor.dtype)"
      )
      length += tensor.shape[0]
    }
    let y = Tensor(
      uninitialized: Shape([length] + first.shape.dimensions.dropFirst()),
      dtype: first.dtype
    )
    var offset = 0
    for tensor in tensors {
      tensor.withBytes { bytes in
        if let base = bytes.baseAddress {
          (y.unsafeBase + offset).copyMemory(from: base, byteCount: bytes.count)
        }
      }
      offset += tensor.byteCount
    }
    let lengths = tensors.map { $0.shape[0] }
    return y.recorded("concatenated", tensors) { dy, _ in
      var start = 0
      return lengths.map { length in
        defer { start += length }
        return dy.rows(start..<start + length)
      }
    }
  }

  /// Returns columns `range` of each row, copied.
  ///
  /// - Returns: `[..., range]`.
  /// - Precondition: The range lies within the last axis.
  public func columns(_ range: Range<Int>) -> Tensor {
    require(
      shape.rank > 0 && range.lowerBound >= 0 && range.upperBound <= shape.columns,
      "columns: \(range) outside the last axis of \(shape)"
    )
    let y = Tensor(uninitialized: shape.replacingColumns(with: range.count), dtype: dtype)
    let size = dtype.byteCount
    let (step, length) = (shape.columns * size, range.count * size)
    withKernel(shape.rows, grain: rowGrain(range.count), keeping: [self]) { rows in
      for row in rows {
        (y.unsafeBase + row * length).copyMemory(
          from: unsafeBase + row * step + range.lowerBound * size,
          byteCount: length
        )
      }
    }
    let (shape, gradientType) = (shape, gradientType)
    return y.recorded(
      "columns",
      [self],
      accumulating: { dy, slots in
        slots.accumulate(into: 0, shape: shape, dtype: gradientType) { buffer, isEmpty in
          if isEmpty { buffer.clear() }
          buffer.addColumns(dy, at: range.lowerBound)
        }
      }
    )
  }

  /// Adds `x` to the columns from `first` on of a tensor that nobody else holds.
  private func addColumns(_ x: Tensor, at first: Int) {
    let (width, step) = (x.shape.columns, shape.columns)
    withKernel(x.shape.rows, grain: rowGrain(width), keeping: [self, x]) { rows in
      let (from, to) = (rows.lowerBound * width, rows.lowerBound * step + first)
      let (count, columns) = (Int64(rows.count), Int64(width))
      if isSingle {
        slm_add_rows_f32(x.floats(from), count, columns, Int64(step), floats(to))
      } else {
        slm_add_rows_f64(x.doubles(from), count, columns, Int64(step), doubles(to))
      }
    }
  }
}
