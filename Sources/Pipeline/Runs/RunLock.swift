import Foundation

/// Keeps a second run out of a run directory, for as long as it lives.
///
/// The kernel releases the lock when the process ends, however it ends.
struct RunLock: ~Copyable {
  private let descriptor: Int32

  init(_ file: URL) throws {
    descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw RunError(
        .file,
        "cannot be opened (\(String(cString: strerror(errno))))",
        at: file.path,
        remedy: "check that you may write there, or choose another directory with --output"
      )
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let holder = Self.text(descriptor)
      close(descriptor)
      throw RunError(
        .locked,
        "another run uses this directory\(holder.isEmpty ? "" : ": \(holder)")",
        at: file.deletingLastPathComponent().path,
        remedy: "wait for it, or choose another directory with --output"
      )
    }
    let process = ProcessInfo.processInfo
    let text = "process \(process.processIdentifier) on \(process.hostName), since \(Self.now)\n"
    ftruncate(descriptor, 0)
    _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
  }

  // A process that was just forked shares the open file, and with it the lock, until it executes
  // something: closing the file alone would not release it.
  deinit {
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  private static func text(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 200)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static var now: String { Date().formatted(.iso8601) }
}
