extension Tensor {
  /// Creates a tensor from its elements in row-major order.
  ///
  /// - Precondition: There are as many elements as the shape has.
  public init<Element: TensorElement>(_ elements: [Element], shape: Shape) {
    require(
      elements.count == shape.count,
      "tensor: \(elements.count) elements do not fill \(shape)"
    )
    self.init(uninitialized: shape, dtype: Element.dtype)
    _ = unsafeMutableElements(as: Element.self).update(fromContentsOf: elements)
  }

  /// Creates a tensor with one axis.
  public init<Element: TensorElement>(_ elements: [Element]) {
    self.init(elements, shape: [elements.count])
  }

  /// Creates a tensor of zeros.
  public init(zeros shape: Shape, dtype: DType = .float32) {
    self.init(uninitialized: shape, dtype: dtype)
    storage.base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
  }

  /// Creates a tensor over bytes that `owner` keeps alive and that nobody writes.
  ///
  /// - Precondition: `bytes` is as long as the shape and dtype ask.
  package init(
    borrowing bytes: UnsafeRawBufferPointer,
    owner: AnyObject,
    shape: Shape,
    dtype: DType
  ) {
    require(
      bytes.count == shape.count * dtype.byteCount,
      "tensor: \(bytes.count) bytes do not fill \(shape) of \(dtype)"
    )
    self.init(
      storage: Storage(borrowing: bytes, owner: owner),
      byteOffset: 0,
      shape: shape,
      dtype: dtype
    )
  }
}
