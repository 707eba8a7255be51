public import Models
public import Pipeline

/// `train`: trains a model on text or conversations, all of it, some parts, or adapters.
public struct TrainStage: Stage {
  /// `train`.
  public static let kind = "train"
  /// What the stage does.
  public static let summary =
    "Trains the model on text or conversations: all of it, some parts, or low-rank adapters."
  /// The model that later stages read is the trained one.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example = "train: { data: data.txt, steps: 200, batch: 4, length: 256 }"

  let options: TrainOptions

  /// Creates the stage.
  public init(_ options: TrainOptions) { self.options = options }

  /// Finds patterns without a match, sequences longer than the context, and too little memory.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    options.check(&promise)
  }

  /// The data.
  public var fittedTexts: [FittedText] { options.fittedTexts }

  /// Finds a tokenizer or a chat template that cannot be read.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    options.checkCompanions(of: model)
  }

  /// Estimates memory from sizes, and the time from the number of operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    TrainingEstimate(options, promise).plan
  }

  /// Estimates memory and, with the size of the data, the time.
  public func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan {
    TrainingEstimate(options, promise, setting).plan
  }

  /// Trains, going on where an interrupted run had saved its state.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    try TrainingSession(options, model, context).run()
  }
}
