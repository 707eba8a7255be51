import Pipeline
import Synchronization

/// Keeps the notes of a stage.
final class NoteLog: RunListener {
  private let state = Mutex([String]())

  func receive(_ event: RunEvent) {
    if case .note(let text) = event { state.withLock { $0.append(text) } }
  }

  var text: String { state.withLock { $0.joined(separator: "\n") } }
}
