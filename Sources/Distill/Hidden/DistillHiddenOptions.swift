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
        in: .above(0.0),
        "What the distance of states is multiplied by."
      ),
      .field(
        "logits_weight",
        \.logitsWeight,
        in: 0...,
        "What the loss of `distill.logits` is multiplied by before it is added; 0 leaves it out."
      ),
    ] + Field.fields(of: \.divergence) + Field.fields(of: \.training)
  }

  /// What does not go together.
  public func problems() -> [StageProblem] { layers.problems() + training.problems() }
}
