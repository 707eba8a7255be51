import Foundation

/// A line on standard error that is replaced as work goes on; nothing unless that is a terminal.
struct StatusLine {
  private let isShown = isatty(2) == 1
  private var last = ContinuousClock.now - .seconds(1)

  /// Replaces the line, at most five times a second.
  mutating func show(_ text: @autoclosure () -> String) {
    guard isShown, ContinuousClock.now - last >= .milliseconds(200) else { return }
    last = .now
    writeToStandardError("\r\u{1B}[K\(TerminalText.clean(text()))")
  }

  /// Removes the line.
  func clear() {
    guard isShown else { return }
    writeToStandardError("\r\u{1B}[K")
  }
}
