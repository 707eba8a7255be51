public import Tensor

/// How a training runs, apart from what it trains on.
public struct TrainingOptions: Sendable {
  /// The learning rate of each step, and the number of steps.
  public var schedule: Schedule
  /// Batches whose gradients are added up to one step's.
  public var partsPerStep = 1
  /// Options by parameter.
  public var groups = ParameterGroups()
  /// The greatest norm of a step's gradient; longer gradients are scaled down to it.
  ///
  /// Clipping needs the gradients of all parameters at once, 4 bytes per parameter. With nil and one
  /// part per step each gradient is used up as soon as it is known.
  public var clipNorm: Double? = 1
  /// Averages the parameters over the steps; what is validated and results is the average then.
  public var average: MovingAverage.Options?
  /// Steps from one validation to the next, and before the first one; validates only before the
  /// first and after the last step if nil.
  public var validationInterval: Int?
  /// Validations without improvement after which training stops.
  public var patience: Int?
  /// By how much the validation loss must fall to count as an improvement, in nats.
  public var minimumImprovement = 0.0
  /// Whether the result is what had the least validation loss, the start included.
  public var keepsBest = true
  /// Steps from one saved state to the next.
  public var checkpointInterval: Int?
  /// Time from one saved state to the next.
  ///
  /// With nil here and for the steps nothing is saved.
  public var checkpointTime: Duration? = .seconds(600)

  /// Creates options with the usual values.
  public init(schedule: Schedule) { self.schedule = schedule }

  /// Whether states are saved.
  var savesState: Bool { checkpointInterval != nil || checkpointTime != nil }

  /// What determines the result, as a text by which a saved state is told from that of others.
  var summary: String {
    let average = average.map { "\($0.decay)/\($0.warmsUp)" } ?? "none"
    return "\(schedule.summary); parts=\(partsPerStep); groups: \(groups.summary); "
      + "clip=\(Self.text(clipNorm)); average=\(average); "
      + "validation=\(Self.text(validationInterval)); patience=\(Self.text(patience)); "
      + "improvement=\(minimumImprovement); best=\(keepsBest)"
  }

  private static func text(_ value: (some CustomStringConvertible)?) -> String {
    value.map { "\($0)" } ?? "none"
  }

  /// Checks everything that can be checked without parameters.
  public func check() throws(TrainingError) {
    try schedule.check()
    func require(_ condition: Bool, _ name: String, _ value: Any, _ remedy: String)
      throws(TrainingError)
    {
      guard !condition else { return }
      throw TrainingError(.invalidOptions, "the value is \(value)", at: name, remedy: remedy)
    }
    try require(partsPerStep > 0, "parts per step", partsPerStep, "use 1 or more")
    try require((clipNorm ?? 1) > 0, "clip norm", clipNorm ?? 1, "use a norm above 0")
    let decay = average?.decay ?? 0
    try require((0..<1).contains(decay), "decay of the moving average", decay, "use 0..<1")
    for (name, value) in [
      ("validation interval", validationInterval), ("patience", patience),
      ("checkpoint interval", checkpointInterval),
    ] {
      try require((value ?? 1) > 0, name, value ?? 1, "use 1 or more")
    }
    try require(
      minimumImprovement >= 0 && minimumImprovement.isFinite,
      "minimum improvement",
      minimumImprovement,
      "use 0 or more"
    )
    try require(
      (checkpointTime ?? .seconds(1)) > .zero,
      "checkpoint time",
      checkpointTime ?? .zero,
      "use a time above 0"
    )
  }
}

/// The memory that a training holds besides activations, in bytes.
public struct TrainingMemory: Sendable, Hashable {
  /// The parameters.
  public let parameters: Int
  /// Gradients: of all parameters, or the largest one where each is used up at once.
  public let gradients: Int
  /// What the optimizer keeps.
  public let optimizer: Int
  /// The moving average.
  public let average: Int

  /// The sum.
  public var total: Int { parameters + gradients + optimizer + average }

  /// Foretells the memory of a training.
  ///
  /// - Parameters:
  ///   - shapes: The shapes of the parameters to train.
  ///   - dtype: Their type.
  ///   - optimizer: The rule.
  ///   - options: The options of the training.
  public init(
    shapes: [Shape],
    dtype: DType = .float32,
    optimizer: any Optimizer,
    options: TrainingOptions
  ) {
    let sizes = shapes.map { $0.count * dtype.byteCount }
    let all = sizes.reduce(0, +)
    let isFused = options.clipNorm == nil && options.partsPerStep == 1
    parameters = all
    gradients = isFused ? sizes.max() ?? 0 : all
    self.optimizer = OptimizerState.byteCount(optimizer, shapes: shapes, dtype: dtype)
    average = options.average == nil ? 0 : all
  }
}
