/// What stops the quantization of a matrix, where, and what to do about it.
public struct QuantizeError: Error, Sendable, CustomStringConvertible {
  /// The kind of problem.
  public enum Code: Sendable, Hashable {
    /// A weight is not a number or infinite, or a group's scale is too large for its type.
    case notFinite
    /// The group size does not divide the columns.
    case notDivisible
    /// A teacher's vocabulary is not the model's.
    case otherVocabulary
    /// There is too little data to measure on.
    case tooLittleData
    /// A matrix has a format that the method cannot work on.
    case unsupported
    /// No choice of formats meets what was asked for.
    case outOfReach
  }

  /// The kind of problem.
  public let code: Code
  /// The layer concerned.
  public let layer: String
  /// What is wrong.
  public let problem: String
  /// What the user can do.
  public let remedy: String

  /// Creates an error from its three parts: what, where, what to do.
  public init(_ code: Code, _ problem: String, layer: String, remedy: String) {
    self.code = code
    self.problem = problem
    self.layer = layer
    self.remedy = remedy
  }

  /// The error as one line: where, what, what to do.
  public var description: String { "\(layer): \(problem); \(remedy)" }
}

extension QuantizeError {
  /// What is not finite.
  enum Number { case weight, scale }

  /// The error about a number that is not finite.
  static func notFinite(_ number: Number, _ layer: String) -> QuantizeError {
    switch number {
    case .weight:
      QuantizeError(
        .notFinite,
        "a weight is infinite or not a number",
        layer: layer,
        remedy: "the checkpoint is damaged; fetch it again"
      )
    case .scale:
      QuantizeError(
        .notFinite,
        "a scale is too large for its type",
        layer: layer,
        remedy: "use `scale_type: float32`"
      )
    }
  }
}
