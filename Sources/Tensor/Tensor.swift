/// A dense, row-major array of numbers with value semantics.
///
/// A tensor is a cheap handle on shared bytes; writing through ``withMutableElements(as:_:)``
/// copies them first unless this handle is the only one. The bytes may be a window on a mapped
/// file, so a checkpoint's weight can be used without ever being read as a whole.
///
/// ```swift
/// let x = Tensor([1, 2, 3, 4], shape: [2, 2])
/// let row = x.rows(1..<2)          // a view: [1, 2]
/// row.elements(as: Float.self)     // [3, 4]
/// ```
public struct Tensor: Sendable {
  /// The extents of the axes.
  public let shape: Shape
  /// The type of the elements.
  public let dtype: DType
  var storage: Storage
  /// Bytes from the start of the storage to the first element.
  let byteOffset: Int
  /// Where the tensor comes from, while it is being differentiated through.
  var node: GradientNode?

  /// Makes a tensor of part of a storage.
  package init(storage: Storage, byteOffset: Int, shape: Shape, dtype: DType) {
    require(
      byteOffset >= 0 && byteOffset + shape.count * dtype.byteCount <= storage.byteCount,
      "tensor: \(shape) of \(dtype) at byte \(byteOffset) exceeds \(storage.byteCount) bytes"
    )
    self.storage = storage
    self.byteOffset = byteOffset
    self.shape = shape
    self.dtype = dtype
  }

  /// Allocates a tensor whose elements are not initialized: every one must be written before it
  /// is read.
  package init(uninitialized shape: Shape, dtype: DType) {
    self.init(
      storage: Storage(byteCount: shape.count * dtype.byteCount),
      byteOffset: 0,
      shape: shape,
      dtype: dtype
    )
  }

  /// The number of elements.
  public var count: Int { shape.count }

  /// The size of the elements in bytes.
  public var byteCount: Int { shape.count * dtype.byteCount }
}
