public import Pipeline
public import TrainStages

/// The options of `distill.hidden`.
public struct DistillHiddenOptions: StageOptions {
  /// The model to learn from.
  public var teacher: ModelPath?
  /// Which layers imitate which.
  public var layers = LayerMapping()
  /// The distance of states.
  public var stateLoss = StateDistance.relative
  /// How much the states count.
  public var hiddenWeight = 1.0
  /// How much the probabilities count.
  public var logitsWeight = 1.0
  /// The distance of probabilities.
  public var divergence = DivergenceOptions()
  /// Which relations of positions inside attention are imitated; nil for none.
  public var relations: RelationOptions?
  /// How often the student learns from texts of its own; nil for never.
  public var onPolicy: OnPolicyOptions?
  /// How the student is trained.
  public var training = TrainOptions()

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<DistillHiddenOptions>] {
    [
      .field("teacher", \.teacher, DistillLogitsOptions.teacherSummary)
    ] + Field.fields(of: \.layers) + [
      .field(
        "state_loss",
        \.stateLoss,
        "How the distance of the states after two layers is measured, averaged over positions and "
          + "layers."
      ),
      .field(
        "hidden_weight",
        \.hiddenWeight,
        in: 0...,
        "What the distance of states is multiplied by; 0, which needs `relations`, leaves it out."
      ),
      .field(
        "logits_weight",
        \.logitsWeight,
        in: 0...,
        "What the loss of `distill.logits` is multiplied by before it is added; 0 leaves it out."
      ),
    ] + Field.fields(of: \.divergence) + [
      .field(
        "relations",
        \.relations,
        "Lets positions be as alike to each other, inside attention, as they are in the teacher. "
          + "Widths and numbers of heads may differ."
      ),
      .field("on_policy", \.onPolicy, OnPolicyOptions.summary),
    ] + Field.fields(of: \.training)
  }

  /// What does not go together.
  public func problems() -> [StageProblem] {
    var problems = layers.problems() + training.problems()
    problems += onPolicy?.problems(with: training) ?? []
    if hiddenWeight == 0 && relations == nil {
      problems.append(
        StageProblem(
          "neither states nor `relations` count; use `distill.logits` for the probabilities alone",
          option: "hidden_weight"
        )
      )
    }
    return problems
  }
}
