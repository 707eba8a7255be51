import Foundation

/// Why a run stopped, where, and what to do.
public struct RunError: Error, Sendable, CustomStringConvertible {
  /// The kind of failure.
  public enum Code: Sendable, Hashable {
    /// Another process uses the run directory.
    case locked
    /// The disk is full.
    case diskFull
    /// A file could not be read or written.
    case file
    /// A stage failed.
    case stage
    /// An exported file is not what was promised.
    case verification
  }

  /// The kind of failure.
  public let code: Code
  /// The stage or file concerned.
  public let location: String
  /// What went wrong.
  public let problem: String
  /// What to do.
  public let remedy: String
  /// The error of another module that stopped the run, if one did.
  public private(set) var underlying: (any Error)?

  /// Creates an error from its parts.
  public init(_ code: Code, _ problem: String, at location: String, remedy: String) {
    self.code = code
    self.problem = problem
    self.location = location
    self.remedy = remedy
  }

  /// The error as lines: where and what, then what to do.
  public var description: String {
    // An error of another module says itself what to do about its cause.
    let word = problem.contains("\n  to do: ") ? "then" : "to do"
    return "\(location): \(problem)\n  \(word): \(remedy)"
  }

  /// Wraps an error that a piece of work threw.
  init(_ error: any Error, during work: String) {
    if let error = error as? RunError {
      self = error
    } else if Self.isDiskFull(error) {
      self.init(
        .diskFull,
        "the disk is full",
        at: work,
        remedy: "free some space and run again; finished stages are kept"
      )
    } else {
      self.init(
        .stage,
        Self.text(error),
        at: work,
        remedy: "run again; finished stages are kept"
      )
      underlying = error
    }
  }

  /// An error in words: its own if it has some, never a dump of its fields.
  public static func text(_ error: any Error) -> String {
    let text: String =
      switch error {
      case let error as any CustomStringConvertible where !(error is NSError): error.description
      case let error as any LocalizedError: error.errorDescription ?? error.localizedDescription
      default: error.localizedDescription
      }
    return text.hasSuffix(".") ? String(text.dropLast()) : text
  }

  private static func isDiskFull(_ error: any Error) -> Bool {
    var current: (any Error)? = error
    while let error = current {
      let bridged = error as NSError
      if bridged.domain == NSPOSIXErrorDomain, [ENOSPC, EDQUOT].contains(Int32(bridged.code)) {
        return true
      }
      if bridged.domain == NSCocoaErrorDomain,
        bridged.code == CocoaError.fileWriteOutOfSpace.rawValue
      {
        return true
      }
      current = bridged.userInfo[NSUnderlyingErrorKey] as? any Error
    }
    let text = "\(error)".lowercased()
    return text.contains("no space left on device") || text.contains("disk quota exceeded")
  }
}
