public import Pipeline
public import TrainStages

/// The options of `distill.blocks`.
public struct DistillBlocksOptions: StageOptions {
  /// The model to learn from.
  public var teacher: ModelPath?
  /// The teacher's last layer that each block stands for.
  public var teacherLayers: [Int] = []
  /// What a block gets while it is trained.
  public var inputs = BlockInputs.student
  /// The distance of states.
  public var stateLoss = StateDistance.relative
  /// How many sequences are kept and learned from.
  public var sequences = 64
  /// How each block is trained.
  public var training = TrainOptions()

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<DistillBlocksOptions>] {
    [
      .field("teacher", \.teacher, DistillLogitsOptions.teacherSummary),
      .field(
        "teacher_layers",
        \.teacherLayers,
        "The teacher's layer whose output each block is to give, such as the layers that pruning has "
          + "kept; evenly spaced, the last for the last, if not given."
      ),
      .field("inputs", \.inputs, "What a block gets while it is trained."),
      .field(
        "state_loss",
        \.stateLoss,
        "How the distance of a block's output from the teacher's is measured."
      ),
      .field(
        "sequences",
        \.sequences,
        in: 1...65_536,
        "How many sequences are learned from; `epochs` and `steps` are each block's. What comes "
          + "before and after a block is kept in memory for all of them."
      ),
    ] + Field.fields(of: \.training)
  }

  /// Which blocks stand for which layers.
  package var layers: LayerMapping {
    var layers = LayerMapping()
    layers.teacherLayers = teacherLayers
    return layers
  }

  /// What does not go together.
  public func problems() -> [StageProblem] {
    var problems = layers.problems() + training.problems()
    if training.lora != nil {
      problems.append(StageProblem("blocks are trained themselves, not adapters", option: "lora"))
    }
    if sequences < training.batches.batch {
      problems.append(
        StageProblem(
          "\(sequences) sequences are less than a batch of \(training.batches.batch)",
          option: "sequences"
        )
      )
    }
    let (whole, rest) = sequences.quotientAndRemainder(dividingBy: training.batches.batch)
    if whole > 0 && rest > 0 {
      problems.append(
        StageProblem(
          "\(sequences) sequences do not fill batches of \(training.batches.batch), but "
            + "\(sequences - rest) do",
          option: "sequences"
        )
      )
    }
    return problems
  }
}

/// What a block gets while it is trained.
public enum BlockInputs: String, RecipeChoice {
  case student, teacher

  /// What the choice means.
  public var summary: String {
    switch self {
    case .student: "what the trained blocks before it give: it makes up for their errors too"
    case .teacher: "what the teacher's blocks give: each is trained as if all others were exact"
    }
  }
}
