/// What stops pruning, where, and what to do about it.
public struct PruneError: Error, Sendable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// What is asked for leaves no model.
    case impossible
    /// A weight or a score is not a number or infinite.
    case notFinite
    /// A matrix of inputs cannot be inverted.
    case notPositiveDefinite
  }

  /// The kind of problem.
  public let code: Code
  /// The layer or option concerned.
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
