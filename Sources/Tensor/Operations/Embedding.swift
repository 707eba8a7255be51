extension Tensor {
  /// Returns slices of the first axis in the order of `ids`, with elements as they are.
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
    let stride = shape.dimensions.dropFirst().reduce(dtype.byteCount, *)
    withKernel(ids.count, grain: max(1, (1 << 16) / max(1, stride)), keeping: [self]) { range in
      for index in range {
        (result.unsafeBase + index * stride).copyMemory(
          from: unsafeBase + Int(ids[index]) * stride,
          byteCount: stride
        )
      }
    }
    return result
  }
}
