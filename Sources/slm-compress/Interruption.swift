import Foundation

/// What happens when the user stops a run.
enum Interruption {
  /// Ends the process with status 130 on an interrupt, 143 on a request to end, and a hint.
  ///
  /// Nothing has to be put in order: whatever is unfinished has a temporary name.
  static func explain() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        // Only what is safe inside a signal handler: no allocation, no locks.
        let text: StaticString =
          "\ninterrupted; run the same command again to go on with the first unfinished stage\n"
        _ = text.withUTF8Buffer { write(2, $0.baseAddress, $0.count) }
        _exit(128 + number)
      }
    }
  }
}
