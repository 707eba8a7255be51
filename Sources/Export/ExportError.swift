/// What stops an export, where, and what to do about it.
public struct ExportError: Error, Sendable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// The format cannot hold the model.
    case unsupported
    /// A number does not fit the type it is to be stored in.
    case overflow
    /// The written file does not hold what was to be written.
    case different
    /// What stands where the file should go must not be replaced.
    case occupied
    /// The file cannot be written where it should go.
    case unwritable
  }

  /// Whether the model or the options asked for are at fault, not the writing.
  public var isAboutInput: Bool { [.unsupported, .overflow, .occupied].contains(code) }

  /// The kind of problem.
  public let code: Code
  /// The file or tensor concerned.
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
