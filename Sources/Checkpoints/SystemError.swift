internal import Foundation

/// An error number of the operating system.
struct SystemError: Error, CustomStringConvertible {
  let number: Int32

  /// The error of the last call.
  static var last: SystemError { SystemError(number: errno) }

  var description: String { String(cString: strerror(number)) }
}
