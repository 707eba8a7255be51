/// Keeps bytes alive that come from elsewhere and can be fetched again, such as a mapped file.
package protocol PageOwner: AnyObject {
  /// Lets the system take back the memory of some bytes until they are read again.
  func discard(_ bytes: UnsafeRawBufferPointer)
}

/// The bytes behind one or more tensors: memory of its own, or a window on memory that another
/// object, such as a mapped file, keeps alive.
///
/// Only a unique owner writes (``Tensor/withMutableElements(as:_:)`` copies otherwise), which is
/// what makes sharing it between threads safe.
package final class Storage: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let byteCount: Int
  /// What keeps borrowed bytes alive; nil if the storage owns them.
  package let owner: AnyObject?
  /// Where owned bytes come from.
  private let buffer: BufferPool.Buffer?

  /// Kernels read and write whole vectors of this alignment.
  package static let alignment = 64

  /// Stands in for the address of no bytes.
  private static let empty = Storage(byteCount: 0)

  /// Allocates `byteCount` bytes, not initialized.
  ///
  /// - Parameters:
  ///   - byteCount: How many.
  ///   - isTight: Whether the memory behind them must be no larger than its size class.
  package init(byteCount: Int, isTight: Bool = false) {
    let buffer = BufferPool.shared.allocate(byteCount, isTight: isTight)
    self.buffer = buffer
    self.base = buffer.base
    self.byteCount = byteCount
    self.owner = nil
  }

  /// Borrows bytes that `owner` keeps alive and nobody writes.
  package init(borrowing bytes: UnsafeRawBufferPointer, owner: AnyObject) {
    self.base = bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0) } ?? Self.empty.base
    self.buffer = nil
    self.byteCount = bytes.count
    self.owner = owner
  }

  /// The bytes of memory behind an owning storage, which may have been larger than was asked for.
  var capacity: Int { buffer?.size ?? byteCount }

  /// Whether the bytes belong to another object and must not be written.
  package var isBorrowed: Bool { owner != nil }

  deinit {
    if let buffer { BufferPool.shared.release(buffer) }
  }
}
