internal import Foundation

/// A file that is written under a temporary name and takes its own when it is complete.
///
/// Until ``finish()`` returns, whatever was under the final name stays. Dropped before, the
/// temporary file is removed; only a process that is killed leaves one behind,
/// `.<name>.<number>.partial` beside the final name.
package final class ReplacementFile {
  let path: String
  let byteCount: Int
  private let temporaryPath: String
  private let descriptor: Int32
  private var isFinished = false

  /// Creates the temporary file and reserves its bytes, which read as zero until written.
  ///
  /// Reserving makes a full disk an error here, before the first tensor was computed.
  init(path: String, byteCount: Int) throws(CheckpointError) {
    let folder = (path as NSString).deletingLastPathComponent
    let name = (path as NSString).lastPathComponent
    var descriptor: Int32 = -1
    var temporaryPath = ""
    // Another process may use the same name; a few numbers suffice to find a free one.
    for _ in 0..<16 where descriptor < 0 {
      let number = UInt32.random(in: 0...UInt32.max)
      temporaryPath = (folder as NSString).appendingPathComponent(".\(name).\(number).partial")
      descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      if descriptor < 0 && errno != EEXIST { break }
    }
    guard descriptor >= 0 else {
      throw CheckpointError(
        .unwritable,
        "cannot create a file",
        file: path,
        underlying: SystemError.last
      )
    }
    (self.path, self.byteCount) = (path, byteCount)
    (self.temporaryPath, self.descriptor) = (temporaryPath, descriptor)
    var status: Int32 = 0
    repeat { status = posix_fallocate(descriptor, 0, max(1, byteCount)) } while status == EINTR
    guard status == 0 else {
      throw CheckpointError(
        .unwritable,
        "cannot reserve \(byteCount) bytes",
        file: path,
        underlying: SystemError(number: status)
      )
    }
    // A file without tensors can have no bytes at all, which cannot be reserved.
    guard ftruncate(descriptor, byteCount) == 0 else { throw failure("cannot set the size") }
  }

  deinit {
    close(descriptor)
    if !isFinished { unlink(temporaryPath) }
  }

  private func failure(_ problem: String, at offset: Int? = nil) -> CheckpointError {
    CheckpointError(
      .unwritable,
      problem,
      file: path,
      byteOffset: offset,
      underlying: SystemError.last
    )
  }

  /// Writes bytes at a place in the file.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
    var written = 0
    while written < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, offset + written)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        throw failure("cannot write \(rest.count) bytes", at: offset + written)
      }
      written += count
    }
  }

  /// Writes bytes at a place in the file.
  func write(_ bytes: [UInt8], at offset: Int) throws(CheckpointError) {
    try bytes.span.bytes.withUnsafeBytes { bytes throws(CheckpointError) in
      try write(bytes, at: offset)
    }
  }

  /// Waits until the bytes are on the disk and gives the file its name.
  func finish() throws(CheckpointError) {
    guard fsync(descriptor) == 0 else { throw failure("cannot bring the file to the disk") }
    guard rename(temporaryPath, path) == 0 else { throw failure("cannot give the file its name") }
    isFinished = true
    // The name is an entry of the folder, which has to reach the disk as well. Some file systems
    // cannot do that for folders; the file is complete all the same.
    let folder = (path as NSString).deletingLastPathComponent
    let folderDescriptor = open(folder.isEmpty ? "." : folder, O_RDONLY | O_CLOEXEC)
    guard folderDescriptor >= 0 else { return }
    fsync(folderDescriptor)
    close(folderDescriptor)
  }

  /// Writes a whole file.
  package static func write(_ bytes: [UInt8], to path: String) throws(CheckpointError) {
    let file = try ReplacementFile(path: path, byteCount: bytes.count)
    try file.write(bytes, at: 0)
    try file.finish()
  }
}
