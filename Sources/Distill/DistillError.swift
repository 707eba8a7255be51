/// What stops a distillation, where, and what to do about it.
public struct DistillError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// There is no teacher, or none that the student can learn from.
    case unusableTeacher
    /// A teacher's output is not a number or infinite.
    case notFinite
  }

  /// The kind of problem.
  public let code: Code
  /// The model or file concerned.
  public let location: String
  /// What is wrong, one clause without a full stop.
  public let problem: String
  /// What the user can do, one clause without a full stop.
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
