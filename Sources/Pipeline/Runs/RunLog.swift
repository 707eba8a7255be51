import Foundation
import Synchronization

/// Writes what happens during a run to log.txt, and passes it on.
final class RunLog: RunListener {
  private let next: any RunListener
  private let file: Mutex<FileHandle?>

  init(_ file: URL, next: any RunListener) {
    self.next = next
    if !FileTree.exists(file) {
      _ = FileManager.default.createFile(atPath: file.path, contents: nil)
    }
    let handle = try? FileHandle(forWritingTo: file)
    _ = try? handle?.seekToEnd()
    self.file = Mutex(handle)
  }

  func receive(_ event: RunEvent) {
    if let line = event.logLine { write(line) }
    next.receive(event)
  }

  private func write(_ line: String) {
    let stamp = Date().formatted(.iso8601)
    // A log that cannot be written, such as on a full disk, is no reason to lose the run.
    file.withLock { try? $0?.write(contentsOf: Data("\(stamp) \(line)\n".utf8)) }
  }
}

extension RunEvent {
  /// The event as a line of the log; nil for progress.
  var logLine: String? {
    switch self {
    case .began(_, _, let title): "begin \(title)"
    case .measuring(let title): "measure \(title)"
    case .skipped(_, _, let title, let reason): "skip \(title): \(reason)"
    case .progress: nil
    case .ended(let title, let seconds, let result):
      "end \(title) after \(Wording.seconds(seconds))\(result.isEmpty ? "" : ": \(result)")"
    case .note(let text): "note: \(text)"
    case .warning(let text): "warning: \(text)"
    }
  }
}
