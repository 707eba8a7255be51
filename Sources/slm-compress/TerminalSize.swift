import Foundation

/// The size of the terminal that standard error goes to.
enum TerminalSize {
  /// The number of columns; 80 if it cannot be told.
  static var columns: Int {
    var size = winsize()
    guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
