public import Evaluate
public import Pipeline
public import TrainStages

/// The options of `distill.logits`.
public struct DistillLogitsOptions: StageOptions {
  /// The model to learn from.
  public var teacher: ModelPath?
  /// What is minimized.
  public var divergence = DivergenceOptions()
  /// Whether and how the teacher's outputs are kept.
  public var cache: CacheOptions?
  /// How often the student learns from texts of its own; nil for never.
  public var onPolicy: OnPolicyOptions?
  /// How the student is trained.
  public var training = TrainOptions()

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<DistillLogitsOptions>] {
    [
      .field("teacher", \.teacher, teacherSummary)
    ] + Field.fields(of: \.divergence) + [
      .field(
        "cache",
        \.cache,
        "Keeps the teacher's most likely tokens on disk, so that it runs once over the text and not "
          + "in every epoch. All other tokens count as one. Rows of text are then the same in every "
          + "epoch, in another order."
      ),
      .field("on_policy", \.onPolicy, OnPolicyOptions.summary + " Without `cache`."),
    ] + Field.fields(of: \.training)
  }

  static let teacherSummary =
    "The model to learn from, whose tokenizer cuts texts into the same tokens, perhaps under other "
    + "ids; the model that the recipe begins with if not given."

  /// What does not go together.
  public func problems() -> [StageProblem] {
    var problems = training.problems() + (onPolicy?.problems(with: training) ?? [])
    if cache != nil && onPolicy != nil {
      problems.append(
        StageProblem(
          "the student's own texts of `on_policy` are other ones in every step: no outputs that "
            + "were kept fit them, and the teacher has to run; leave `cache` out",
          option: "cache"
        )
      )
    }
    return problems
  }
}
