/// What stops an evaluation, where, and what to do about it.
public struct EvaluateError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// The model computes numbers that are not finite.
    case notFinite
    /// A token id is outside the model's vocabulary.
    case tokenOutOfRange
    /// Model and reference cannot be compared.
    case notComparable
    /// The outputs kept of the reference are missing or damaged.
    case referenceUnusable
    /// Outputs of the reference cannot be kept in a folder, or another process is about that.
    case unwritable
    /// The options contradict each other or the model.
    case invalidOptions
  }

  /// The kind of problem.
  public let code: Code
  /// The model, text, window or layer concerned.
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
