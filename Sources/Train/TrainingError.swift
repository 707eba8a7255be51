/// What stops a training, where, and what to do about it.
public struct TrainingError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// A loss or gradient is not a finite number.
    case notFinite
    /// The options contradict each other or fit no parameter.
    case invalidOptions
    /// A saved state belongs to a training with other options, data or parameters.
    case stateOfAnother
    /// A saved state is incomplete or not what was written.
    case damagedState
    /// A file cannot be written.
    case unwritable
  }

  /// The kind of problem.
  public let code: Code
  /// The step, parameter or file concerned.
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
