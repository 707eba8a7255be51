public import Pipeline
package import Tensor

/// The options of `train`.
public struct TrainOptions: StageOptions {
  /// What to learn from.
  public var data: [DataInput] = []
  /// How the data is read and put into batches.
  public var batches = BatchSettings()
  /// Passes over the data, if no number of steps is given.
  public var epochs = 1.0
  /// Updates of the parameters.
  public var steps: Int?
  /// How the parameters are changed.
  public var rule = UpdateRule()
  /// How gradients are computed.
  public var compute = ComputeSettings()
  /// Which parts are trained.
  public var parts = PartSelection()
  /// Adapters to train instead of the parts themselves.
  public var lora: AdapterOptions?
  /// Whether weights that are zero stay zero.
  public var keepZeros = true
  /// Zeros that grow in number while training; nil for none.
  public var prune: GradualPruning?
  /// What is measured while training.
  public var validation = ValidationOptions()
  /// Minutes from one saved state to the next.
  public var saveMinutes = 10.0
  /// The type of the trained weights.
  public var type = ResultType.own

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<TrainOptions>] {
    [
      .required(
        "data",
        \.data,
        "What to learn from, one or a list: text files, JSON lines with texts or conversations, "
          + "either compressed by gzip, folders of these, or built-in texts such as "
          + "`builtin:stories`."
      )
    ] + Field.fields(of: \.batches) + [
      .field(
        "epochs",
        \.epochs,
        in: .above(0.0, through: 1e6),
        "How often the data is gone through; ignored if `steps` is given."
      ),
      .field("steps", \.steps, in: 1..., "How often the parameters are changed."),
    ] + Field.fields(of: \.rule) + Field.fields(of: \.compute) + Field.fields(of: \.parts) + [
      .field(
        "lora",
        \.lora,
        "Trains low-rank adapters of the selected linear layers instead of the layers. They are "
          + "merged into the model that later stages read, and saved in PEFT's format in the "
          + "stage's folder."
      ),
      .field(
        "keep_zeros",
        \.keepZeros,
        "Whether weights that are zero stay zero, in matrices of which at least 5 % are: what "
          + "pruning has set to zero. Not of quantized weights."
      ),
      .field(
        "prune",
        \.prune,
        "Sets more and more of the least weights to zero while the others are trained. Without "
          + "`lora`."
      ),
      .field("validation", \.validation, "What is measured while training, and what follows."),
      .field(
        "save_minutes",
        \.saveMinutes,
        in: .above(0.0, through: 1e6),
        "Minutes from one saved state to the next; an interrupted run goes on from the last."
      ),
      .field("type", \.type, "The type in which trained weights are stored."),
    ]
  }

  /// What does not go together.
  public func problems() -> [StageProblem] {
    var problems: [StageProblem] = []
    if !batches.weights.isEmpty && batches.weights.count != data.count {
      problems.append(
        StageProblem(
          "\(batches.weights.count) weights are given for \(data.count) data sets",
          option: "weights"
        )
      )
    }
    if let steps {
      if rule.warmupSteps > steps {
        problems.append(
          StageProblem("more warm-up steps than the \(steps) steps", option: "warmup_steps")
        )
      } else if rule.schedule == .stable, rule.decaySteps(of: steps) > steps - rule.warmupSteps {
        problems.append(
          StageProblem("warm-up and decay do not fit into \(steps) steps", option: "decay_steps")
        )
      }
    }
    return problems
  }
}

/// The dtype in which trained weights are stored.
public enum ResultType: String, RecipeChoice {
  case own, float32, bfloat16, float16

  /// What the choice means.
  public var summary: String {
    switch self {
    case .own: "as before; float32 for weights that were quantized"
    default: "\(rawValue)"
    }
  }

  /// The dtype; nil for that of the weights before.
  package var dtype: DType? { DType(rawValue: rawValue) }
}
