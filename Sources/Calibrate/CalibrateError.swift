/// What stops a walk through a model, where, and what to do about it.
public struct CalibrateError: Error, Sendable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// An activation is not a number or infinite.
    case notFinite
    /// Activations cannot be kept in a file.
    case unwritable
    /// What an earlier run has kept in a file cannot be read.
    case unreadable
  }

  /// The kind of problem.
  public let code: Code
  /// The layer or file concerned.
  public let location: String
  /// What is wrong.
  public let problem: String
  /// What the user can do.
  public let remedy: String

  /// Creates an error from its three parts: what, where, what to do.
  public init(_ code: Code, _ problem: String, at location: String, remedy: String) {
    self.code = code
    self.problem = problem
    self.location = location
    self.remedy = remedy
  }

  /// The error as one line: where, what, what to do.
  public var description: String { "\(location): \(problem); \(remedy)" }
}
