internal import Foundation
public import Tensor

/// A regular file mapped into memory, read only.
///
/// Bytes are read from disk when they are first touched, and may be dropped and read again, so
/// a file larger than memory costs nothing until it is used. Tensors over its bytes keep the
/// mapping alive; the file's name may be removed or replaced meanwhile.
///
/// - Warning: A file that another process **shortens in place** while it is mapped ends this
///   process with SIGBUS when the lost bytes are touched. Writers that replace files by renaming,
///   as all in this module do, cannot cause this.
public final class MappedFile: Sendable {
  /// The path it was opened under.
  public let path: String
  /// The size in bytes when it was opened.
  public let byteCount: Int
  // A number, because a pointer is not `Sendable`; 0 for an empty file.
  private let address: UInt

  /// How a range of a file is about to be used.
  public enum Access: Sendable {
    /// Once, from front to back: read ahead far.
    case sequential
    /// In no order: do not read ahead.
    case random
    /// Soon: start reading.
    case soon
    /// No longer: the memory can be dropped, and is read again when touched.
    case done

    fileprivate var advice: Int32 {
      switch self {
      case .sequential: MADV_SEQUENTIAL
      case .random: MADV_RANDOM
      case .soon: MADV_WILLNEED
      case .done: MADV_DONTNEED
      }
    }
  }

  /// Maps a file.
  ///
  /// - Throws: ``CheckpointError`` with code `notFound`, or `unreadable` for what is not a
  ///   regular file or what the system refuses to open or map.
  /// - Complexity: O(1) in time and memory.
  public init(path: String) throws(CheckpointError) {
    // Not waiting for a writer, should the path be a named pipe.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let cause = SystemError.last
      throw CheckpointError(
        cause.number == ENOENT ? .notFound : .unreadable,
        "cannot open the file",
        file: path,
        underlying: cause
      )
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw CheckpointError(
        .unreadable,
        "cannot read the file's size",
        file: path,
        underlying: SystemError.last
      )
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw CheckpointError(.unreadable, "not a regular file", file: path)
    }
    let size = Int(status.st_size)
    guard size > 0 else {
      (self.path, self.byteCount, self.address) = (path, 0, 0)
      return
    }
    let mapped = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let mapped, mapped != MAP_FAILED else {
      throw CheckpointError(
        .unreadable,
        "cannot map the file",
        file: path,
        underlying: SystemError.last
      )
    }
    (self.path, self.byteCount, self.address) = (path, size, UInt(bitPattern: mapped))
  }

  deinit {
    if let base = UnsafeMutableRawPointer(bitPattern: address) { munmap(base, byteCount) }
  }

  /// The whole file; valid while this object lives.
  var unsafeBytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: byteCount)
  }

  /// Calls `body` with the bytes of the file.
  public func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(unsafeBytes)
  }

  /// Returns part of the file as a tensor, without reading it.
  ///
  /// - Precondition: The range lies within the file and has the bytes that the shape asks.
  public func tensor(_ range: Range<Int>, shape: Shape, dtype: DType) -> Tensor {
    Tensor(
      borrowing: UnsafeRawBufferPointer(rebasing: unsafeBytes[range]),
      owner: self,
      shape: shape,
      dtype: dtype
    )
  }

  /// Tells the system how a range of bytes is about to be used.
  ///
  /// Changes speed, never results.
  public func advise(_ access: Access, _ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = max(0, range.lowerBound) / page * page
    let end = min(byteCount, range.upperBound)
    guard let base = UnsafeMutableRawPointer(bitPattern: address), start < end else { return }
    madvise(base + start, end - start, access.advice)
  }
}

extension MappedFile: PageOwner {
  /// Reading a page brings those around it that the system already has, in windows of this many
  /// bytes of the address space.
  private static let window = 1 << 16

  /// Discards whole windows: what came along with the bytes, of tensors before and behind them, would
  /// otherwise stay, and grow with the number of tensors.
  package func discard(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    let (start, end) = (Int(bitPattern: base), Int(bitPattern: base) + bytes.count)
    let first = start / Self.window * Self.window
    let last = (end + Self.window - 1) / Self.window * Self.window
    advise(.done, first - Int(address)..<last - Int(address))
  }
}
