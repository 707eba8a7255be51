extension Tensor {
  /// Calls `body` with the elements.
  ///
  /// - Precondition: `Element` is the type of the dtype. Elements in a mapped file may lie at any
  ///   byte; kernels read them unaligned.
  public func withElements<Element: TensorElement, Result, Failure: Error>(
    as type: Element.Type,
    _ body: (UnsafeBufferPointer<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    requireElement(type)
    defer { withExtendedLifetime(storage) {} }
    return try body(
      UnsafeBufferPointer(
        start: (storage.base + byteOffset).assumingMemoryBound(to: Element.self),
        count: count
      )
    )
  }

  /// Calls `body` with the elements to change, copying them first if they are shared.
  ///
  /// - Precondition: `Element` is the type of the dtype, and the tensor is not being differentiated
  ///   through.
  public mutating func withMutableElements<Element: TensorElement, Result, Failure: Error>(
    as type: Element.Type,
    _ body: (UnsafeMutableBufferPointer<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    makeUnique()
    defer { withExtendedLifetime(storage) {} }
    return try body(unsafeMutableElements(as: type))
  }

  /// Calls `body` with the elements' bytes.
  public func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeRawBufferPointer(start: storage.base + byteOffset, count: byteCount))
  }

  /// The element of a tensor with one element, such as a loss, as a plain number.
  ///
  /// - Precondition: One element, of a floating-point type.
  public var scalar: Double {
    require(count == 1 && dtype.isFloatingPoint, "scalar: \(shape) of \(dtype)")
    return detached.converted(to: .float64).elements(as: Double.self)[0]
  }

  /// Returns a copy of the elements in row-major order, as plain numbers.
  ///
  /// - Precondition: `Element` is the type of the dtype.
  public func elements<Element: TensorElement>(as type: Element.Type) -> [Element] {
    requireElement(type)
    return withBytes { bytes in
      [Element](unsafeUninitializedCapacity: count) { target, filled in
        UnsafeMutableRawBufferPointer(target).copyMemory(from: bytes)
        filled = count
      }
    }
  }

  /// The elements of a tensor that was just made and is shared with nobody.
  package func unsafeMutableElements<Element: TensorElement>(
    as type: Element.Type
  ) -> UnsafeMutableBufferPointer<Element> {
    requireElement(type)
    return UnsafeMutableBufferPointer(
      start: (storage.base + byteOffset).assumingMemoryBound(to: Element.self),
      count: count
    )
  }

  /// The address of the first byte; valid while the tensor lives.
  package var unsafeBase: UnsafeMutableRawPointer { storage.base + byteOffset }

  /// Copies the elements if another tensor or a file shares them, so that they can be changed.
  ///
  /// - Precondition: The tensor is not being differentiated through: a change in place would have
  ///   no backward rule.
  mutating func makeUnique() {
    require(node == nil, "tensor: elements changed in place while being differentiated through")
    if !storage.isBorrowed && isKnownUniquelyReferenced(&storage) { return }
    let copy = Tensor(uninitialized: shape, dtype: dtype)
    withBytes {
      UnsafeMutableRawBufferPointer(start: copy.unsafeBase, count: $0.count).copyMemory(from: $0)
    }
    self = copy
  }

  private func requireElement<Element: TensorElement>(_ type: Element.Type) {
    require(Element.dtype == dtype, "tensor: elements of \(dtype) read as \(Element.dtype)")
  }
}
