extension Tensor {
  /// Returns the same elements under another shape, without copying.
  ///
  /// - Precondition: Both shapes have the same number of elements.
  public func reshaped(_ shape: Shape) -> Tensor {
    require(shape.count == count, "reshaped: \(self.shape) does not fit \(shape)")
    let ownShape = self.shape
    return Tensor(storage: storage, byteOffset: byteOffset, shape: shape, dtype: dtype)
      .recorded("reshaped", [self]) { dy, _ in [dy.reshaped(ownShape)] }
  }

  /// Returns part of the first axis, without copying.
  ///
  /// - Precondition: The tensor has an axis and the range lies within it.
  public func rows(_ range: Range<Int>) -> Tensor {
    require(
      shape.rank > 0 && range.lowerBound >= 0 && range.upperBound <= shape[0],
      "rows: \(range) outside the first axis of \(shape)"
    )
    let stride = shape.dimensions.dropFirst().reduce(1, *)
    let (shape, gradientType) = (shape, gradientType)
    return Tensor(
      storage: storage,
      byteOffset: byteOffset + range.lowerBound * stride * dtype.byteCount,
      shape: Shape([range.count] + shape.dimensions.dropFirst()),
      dtype: dtype
    ).recorded(
      "rows",
      [self],
      accumulating: { dy, slots in
        slots.accumulate(into: 0, shape: shape, dtype: gradientType) { buffer, isEmpty in
          if isEmpty { buffer.clear() }
          buffer.addElements(dy, at: range.lowerBound * stride)
        }
      }
    )
  }

  /// Returns the elements' bits as those of another type of the same size, without copying.
  ///
  /// - Precondition: The tensor is not being differentiated through.
  package func reinterpreted(as dtype: DType) -> Tensor {
    require(
      dtype.byteCount == self.dtype.byteCount,
      "reinterpreted: \(self.dtype) as \(dtype)"
    )
    requireConstant("reinterpreted")
    return Tensor(storage: storage, byteOffset: byteOffset, shape: shape, dtype: dtype)
  }

  /// Returns the bytes of the elements, the last axis growing by their size, without copying.
  ///
  /// - Precondition: The tensor is not being differentiated through.
  package func viewedAsBytes() -> Tensor {
    requireConstant("viewedAsBytes")
    return Tensor(
      storage: storage,
      byteOffset: byteOffset,
      shape: shape.replacingColumns(with: shape.columns * dtype.byteCount),
      dtype: .uint8
    )
  }

  /// The same elements, not recorded, in memory that is not larger: a tensor to be kept for long.
  ///
  /// A copy only where this one is a part of more.
  package var tight: Tensor {
    if byteOffset == 0 && !storage.isBorrowed && storage.capacity - byteCount <= byteCount / 32 {
      return detached
    }
    let result = Tensor(
      storage: Storage(byteCount: byteCount, isTight: true),
      byteOffset: 0,
      shape: shape,
      dtype: dtype
    )
    result.unsafeBase.copyMemory(from: unsafeBase, byteCount: byteCount)
    withExtendedLifetime(self) {}
    return result
  }

  /// Lets the system take back the memory of elements in a mapped file until they are read again;
  /// does nothing for other tensors.
  package func discardPages() {
    guard let owner = storage.owner as? any PageOwner else { return }
    withBytes { owner.discard($0) }
  }
}
