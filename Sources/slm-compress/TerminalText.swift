import Foundation
import Pipeline

/// What is printed, kept from controlling the terminal: names and texts come from files.
enum TerminalText {
  /// Text whose control characters are replaced by `·`.
  ///
  /// - Parameters:
  ///   - text: The text.
  ///   - keepsLines: Whether line ends and tabs stay.
  /// - Returns: The text as it can be printed.
  static func clean(_ text: String, keepsLines: Bool = false) -> String {
    let scalars = text.unicodeScalars.map { scalar -> Unicode.Scalar in
      if keepsLines, scalar == "\n" || scalar == "\t" { return scalar }
      return scalar.properties.generalCategory == .control ? "·" : scalar
    }
    return String(String.UnicodeScalarView(scalars))
  }
}

/// Prints a line, or several, to standard error; nothing if that is closed or full.
func printToStandardError(_ line: String) {
  writeToStandardError(TerminalText.clean(line, keepsLines: true) + "\n")
}

/// Writes text to standard error as it is.
func writeToStandardError(_ text: String) {
  // There is nowhere left to report that errors cannot be reported.
  try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
}

/// Prints text to standard output at once, without a newline.
///
/// - Throws: ``RunError`` if it cannot be written, for example because a disk is full.
func printImmediately(_ text: String) throws {
  do {
    try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  } catch {
    throw RunError(.file, RunError.text(error), at: "standard output", remedy: "make room")
  }
}
