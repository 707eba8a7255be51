extension Tensor {
  /// Returns the same elements under another shape, without copying.
  ///
  /// - Precondition: Both shapes have the same number of elements.
  public func reshaped(_ shape: Shape) -> Tensor {
    require(shape.count == count, "reshaped: \(self.shape) does not fit \(shape)")
    return Tensor(storage: storage, byteOffset: byteOffset, shape: shape, dtype: dtype)
  }

  /// Returns part of the first axis, without copying.
  ///
  /// - Precondition: The tensor has an axis and the range lies within it.
  public func rows(_ range: Range<Int>) -> Tensor {
    require(
      shape.rank > 0 && range.lowerBound >= 0 && range.upperBound <= shape[0],
      "rows: \(range) outside the first axis of \(shape)"
    )
    let stride = shape.dimensions.dropFirst().reduce(dtype.byteCount, *)
    return Tensor(
      storage: storage,
      byteOffset: byteOffset + range.lowerBound * stride,
      shape: Shape([range.count] + shape.dimensions.dropFirst()),
      dtype: dtype
    )
  }

  /// Returns the elements' bits as those of another type of the same size, without copying.
  package func reinterpreted(as dtype: DType) -> Tensor {
    require(
      dtype.byteCount == self.dtype.byteCount,
      "reinterpreted: \(self.dtype) as \(dtype)"
    )
    return Tensor(storage: storage, byteOffset: byteOffset, shape: shape, dtype: dtype)
  }

  /// Returns the bytes of the elements, the last axis growing by their size, without copying.
  package func viewedAsBytes() -> Tensor {
    Tensor(
      storage: storage,
      byteOffset: byteOffset,
      shape: shape.replacingColumns(with: shape.columns * dtype.byteCount),
      dtype: .uint8
    )
  }

  /// Lets the system take back the memory of elements in a mapped file until they are read again;
  /// does nothing for other tensors.
  package func discardPages() {
    guard let owner = storage.owner as? any PageOwner else { return }
    withBytes { owner.discard($0) }
  }
}
