/// What is wrong with a model's files, where, and what to do about it.
public struct ModelError: Error, Sendable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// A file is missing or cannot be read.
    case unreadable
    /// A file does not hold what its format asks for.
    case invalid
    /// The model is well-formed but of a kind that is not supported.
    case unsupported
    /// Tensors and configuration contradict each other.
    case inconsistent
    /// The model computes numbers that are not finite.
    case notFinite
    /// Writing failed.
    case unwritable
  }

  /// The kind of problem.
  public let code: Code
  /// The file, tensor or key concerned.
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
