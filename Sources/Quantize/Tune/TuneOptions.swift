internal import Models
public import Pipeline
public import TrainStages

/// What of a quantized model is trained.
public enum TunedParts: String, RecipeChoice {
  case scales
  case norms
  case both = "scales_and_norms"

  /// What the choice means.
  public var summary: String {
    switch self {
    case .scales: "scales and offsets of quantized matrices"
    case .norms: "the weights of normalizations"
    case .both: "both"
    }
  }

  var scales: Bool { self != .norms }
  var norms: Bool { self != .scales }
}

/// What becomes of the codes while scales are trained.
public enum CodeTraining: String, RecipeChoice {
  case fixed
  case straightThrough = "straight_through"

  /// What the choice means.
  public var summary: String {
    switch self {
    case .fixed: "they stay"
    case .straightThrough:
      "they are trained too, gradients passing through the rounding as if it were not there; takes "
        + "12 bytes of memory for every weight, and needs integer codes in groups"
    }
  }
}

/// The options of `quantize.tune`.
public struct TuneOptions: StageOptions {
  /// What to learn from.
  public var data = [DataInput("builtin:calibration")]
  /// The model to agree with; the recipe's own model if nil.
  public var teacher: ModelPath?
  /// How the data is read and put into batches.
  public var batches = BatchSettings()
  /// Passes over the data, if no number of steps is given.
  public var epochs = 2.0
  /// Updates of the parameters.
  public var steps: Int?
  /// What is trained.
  public var parts = TunedParts.both
  /// What becomes of the codes.
  public var codes = CodeTraining.fixed
  /// Which parts are trained.
  public var selection = PartSelection()
  /// The learning rate of the norms as a multiple of that of the scales.
  public var normRate = 1.0
  /// The learning rate of the codes as a multiple of that of the scales.
  public var codeRate = 10.0
  /// How the parameters are changed.
  public var rule = UpdateRule()
  /// How gradients are computed.
  public var compute = ComputeSettings()
  /// What decides whether the result is kept.
  public var validation = ValidationOptions()
  /// Minutes from one saved state to the next.
  public var saveMinutes = 10.0
  /// The type in which trained norms are stored.
  public var normType = ResultType.float32

  /// Creates the defaults.
  public init() {
    batches.batch = 4
    batches.length = 256
    selection.targets = [NamePattern("model.layers.*"), NamePattern("model.norm")]
    rule.learningRate = 1e-3
    rule.weightDecay = 0
    rule.warmupSteps = 4
    validation.fraction = 0.2
    validation.every = 20
    validation.tokens = 8192
  }

  /// The options.
  public static var fields: [Field<TuneOptions>] {
    [
      .field(
        "data",
        \.data,
        "What to learn from, one or a list: text files, JSON lines with texts or conversations, "
          + "either compressed by gzip, folders of these, or built-in texts. Any text will do, as "
          + "the teacher says what should follow."
      ),
      .field(
        "teacher",
        \.teacher,
        "The model whose next-token distributions are learned; the recipe's own model, as it was "
          + "before any stage, if not given. It has the same vocabulary."
      ),
    ] + Field.fields(of: \.batches) + [
      .field(
        "epochs",
        \.epochs,
        in: .above(0.0, through: 1e6),
        "How often the data is gone through; ignored if `steps` is given."
      ),
      .field("steps", \.steps, in: 1..., "How often the parameters are changed."),
      .field("parts", \.parts, "What of the selected parts is trained."),
      .field("codes", \.codes, "What becomes of the codes of selected matrices."),
    ] + Field.fields(of: \.selection) + Field.fields(of: \.rule) + [
      .field(
        "norm_rate",
        \.normRate,
        in: 0...,
        "The learning rate of norms as a multiple of that of scales, which counts relative changes."
      ),
      .field(
        "code_rate",
        \.codeRate,
        in: 0...,
        "With `codes: straight_through` the learning rate of codes, in codes, as a multiple of that "
          + "of scales: what has to be moved by half a code before it is another one."
      ),
    ] + Field.fields(of: \.compute) + [
      .field(
        "validation",
        \.validation,
        "On what the divergence is measured that decides which parameters are kept, with scales "
          + "rounded to the type in which they are stored. The start is kept if nothing is better."
      ),
      .field(
        "save_minutes",
        \.saveMinutes,
        in: .above(0.0, through: 1e6),
        "Minutes from one saved state to the next; an interrupted run goes on from the last."
      ),
      .field(
        "norm_type",
        \.normType,
        "The type in which trained norms are stored, and rounded to whenever the divergence is "
          + "measured. Norms of a start that is kept stay as they were."
      ),
    ]
  }

  /// What does not go together.
  public func problems() -> [StageProblem] {
    var problems = training.problems()
    if !validation.isOn {
      problems.append(
        StageProblem(
          "something must be measured to keep the result from being worse: set `fraction` or "
            + "`data`",
          option: "validation"
        )
      )
    }
    if !validation.keepBest {
      problems.append(
        StageProblem("the best is always kept", option: "validation.keep_best")
      )
    }
    if codes == .straightThrough && !parts.scales {
      problems.append(StageProblem("codes are trained with their scales", option: "parts"))
    }
    return problems
  }

  /// The same as options of a training: what the data and the estimates go by.
  var training: TrainOptions {
    var options = TrainOptions()
    options.data = data
    options.batches = batches
    options.epochs = epochs
    options.steps = steps
    options.rule = rule
    options.compute = compute
    options.validation = validation
    options.parts.targets = []
    return options
  }
}
