/// What would stop a stage, found before anything runs.
public struct StageProblem: Sendable, Hashable {
  /// The option to blame, as a key such as `group_size` or a path such as `rules.1.bits`.
  ///
  /// The problem is shown where the recipe gives the option. Nil blames the stage as a whole.
  public let option: String?
  /// What is wrong and what would be right, in one sentence without a full stop.
  public let message: String

  /// Creates a problem.
  public init(_ message: String, option: String? = nil) {
    self.message = message
    self.option = option
  }
}
