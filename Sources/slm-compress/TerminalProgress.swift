import Foundation
import Pipeline
import Synchronization

/// Shows what happens during a run: one line that is kept up to date on a terminal, plain lines
/// at intervals elsewhere, or JSON.
final class TerminalProgress: RunListener {
  enum Mode {
    /// For people.
    case standard
    /// One JSON object per line on standard output.
    case json
    /// Warnings only.
    case quiet
  }

  private struct State {
    var title = ""
    var start = ContinuousClock.now
    var lastShown = ContinuousClock.now - .seconds(60)
    var rate = ProgressEstimate()
    var hasLine = false
    /// Why standard output could not be written; a run goes on without it.
    var failure: (any Error)?
  }

  private let mode: Mode
  private let isTerminal: Bool
  private let state = Mutex(State())

  init(_ mode: Mode) {
    self.mode = mode
    isTerminal = mode == .standard && isatty(2) == 1
  }

  func receive(_ event: RunEvent) {
    if mode == .json { return printLine(event) }
    state.withLock { state in
      switch event {
      case .began(let index, let count, let title):
        begin("[\(index + 1)/\(count)] \(title)", &state)
      case .measuring(let title): begin("      measuring \(title)", &state)
      case .skipped(let index, let count, let title, let reason):
        if mode == .standard { write("[\(index + 1)/\(count)] \(title): \(reason)", &state) }
      case .progress(let progress): show(progress, &state)
      case .ended(let title, let seconds, let result):
        guard mode == .standard else { break }
        let prefix = state.title.hasSuffix(title) ? state.title : "      \(title)"
        let results = result.isEmpty ? "" : ": \(result)"
        write("\(prefix), \(Wording.seconds(seconds))\(results)", &state)
      case .note(let text): if mode == .standard { write("      \(text)", &state) }
      case .warning(let text): write("warning: \(text)", &state)
      }
    }
  }

  /// Removes the line that is kept up to date.
  func finish() { state.withLock { clear(&$0) } }

  /// Prints the last JSON line.
  ///
  /// - Throws: The error of the first line that could not be written.
  func report(_ report: RunReport, at path: String) throws {
    print(
      JSONLine([
        ("event", .text("report")), ("path", .text(path)),
        ("passed", .truth(report.passed)),
      ])
    )
    if let failure = state.withLock(\.failure) { throw failure }
  }

  // MARK: - Lines

  private func begin(_ title: String, _ state: inout State) {
    state.title = title
    state.start = .now
    state.rate = ProgressEstimate()
    state.lastShown = .now - .seconds(60)
    if mode == .standard, !isTerminal { write(title, &state) }
  }

  private func show(_ progress: RunProgress, _ state: inout State) {
    guard mode == .standard else { return }
    let now = ContinuousClock.now
    state.rate.add(done: progress.done, at: now)
    // A log is read later, by people who do not want ten thousand lines of it.
    let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(15)
    let isLast = isTerminal && progress.done >= progress.total
    guard now - state.lastShown >= interval || isLast else { return }
    let isFirst = state.lastShown < state.start
    state.lastShown = now
    // The first line of a log would come at once and say nothing.
    if !isTerminal, isFirst { return }
    let line = TerminalText.clean("\(state.title)  \(state.rate.text(progress, at: now))")
    if isTerminal {
      let width = TerminalSize.columns - 1
      writeToStandardError("\r\u{1B}[K" + String(line.prefix(width)))
      state.hasLine = true
    } else {
      writeToStandardError(line + "\n")
    }
  }

  private func write(_ line: String, _ state: inout State) {
    clear(&state)
    printToStandardError(line)
  }

  private func clear(_ state: inout State) {
    if state.hasLine { writeToStandardError("\r\u{1B}[K") }
    state.hasLine = false
  }

  private func printLine(_ event: RunEvent) {
    // Ten progress lines a second would be most of the output.
    if case .progress = event {
      let isDue = state.withLock { state in
        let isDue = ContinuousClock.now - state.lastShown >= .seconds(1)
        if isDue { state.lastShown = .now }
        return isDue
      }
      guard isDue else { return }
    }
    print(JSONLine(event))
  }

  private func print(_ line: JSONLine) {
    do {
      try printImmediately(line.text + "\n")
    } catch {
      state.withLock { $0.failure = $0.failure ?? error }
    }
  }
}
