internal import CKernels

extension Tensor {
  /// Returns slices of the first axis in the order of `ids`, with elements as they are.
  ///
  /// The gradient is added row by row, in the order of `ids`, where it is summed: no temporary of
  /// the shape of `self` is made.
  ///
  /// - Parameter ids: Indices on the first axis, in any order and number.
  /// - Returns: `[ids, ...]`, of the dtype of `self`.
  /// - Precondition: Every index lies on the first axis.
  public func gathered(rows ids: [Int32]) -> Tensor {
    require(shape.rank > 0, "gathered: a scalar has no rows")
    for id in ids { require(id >= 0 && id < shape[0], "gathered: row \(id) of \(shape)") }
    let result = Tensor(
      uninitialized: Shape([ids.count] + shape.dimensions.dropFirst()),
      dtype: dtype
    )
    let length = shape.dimensions.dropFirst().reduce(1, *)
    let stride = length * dtype.byteCount
    withKernel(ids.count, grain: max(1, (1 << 16) / max(1, stride)), keeping: [self]) { range in
      for index in range {
        (result.unsafeBase + index * stride).copyMemory(
          from: unsafeBase + Int(ids[index]) * stride,
          byteCount: stride
        )
      }
    }
    let (shape, gradientType) = (shape, gradientType)
    return result.recorded(
      "gathered",
      [self],
      accumulating: { dy, slots in
        slots.accumulate(into: 0, shape: shape, dtype: gradientType) { buffer, isEmpty in
          if isEmpty { buffer.clear() }
          buffer.addRows(dy, at: ids, length: length)
        }
      }
    )
  }

  /// Adds rows to those that `ids` name of a tensor that nobody else holds.
  ///
  /// Each part of the columns is one thread's, so that rows named twice are summed in order.
  private func addRows(_ rows: Tensor, at ids: [Int32], length: Int) {
    let grain = max(64, elementGrain / max(1, ids.count))
    withKernel(length, grain: grain, keeping: [self, rows]) { columns in
      let width = Int64(columns.count)
      for (index, id) in ids.enumerated() {
        let (from, to) = (
          index * length + columns.lowerBound, Int(id) * length + columns.lowerBound
        )
        if isSingle {
          slm_add_scaled_f32(1, rows.floats(from), width, floats(to))
        } else {
          slm_add_scaled_f64(1, rows.doubles(from), width, doubles(to))
        }
      }
    }
  }
}
