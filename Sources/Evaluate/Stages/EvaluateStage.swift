internal import Datasets
public import Models
public import Pipeline

/// The options of the stage `evaluate`.
public struct EvaluateOptions: StageOptions {
  /// What is measured; `agreement` of the recipe's `evaluation` is not an option here.
  public var settings = EvaluationSettings()
  /// A model to compare with; nil for perplexity only.
  public var reference: ModelPath?

  /// Creates the defaults.
  public init() {}

  /// The options.
  public static var fields: [Field<EvaluateOptions>] {
    let shared = Field<EvaluateOptions>.fields(of: \.settings).filter { $0.key != "agreement" }
    return shared + [
      .field(
        "reference",
        \.reference,
        "A model whose outputs are compared with (`kl_mean`, `top1_agreement`); it must have the "
          + "same vocabulary."
      )
    ]
  }
}

/// Measures a model between stages, on another text or against another reference than the
/// recipe's `evaluation`.
public struct EvaluateStage: Stage {
  /// `evaluate`.
  public static let kind = "evaluate"
  /// What the stage does.
  public static let summary =
    "Measures perplexity, and agreement with a reference model, on a text of its own."
  /// Numbers only.
  public static let effect = StageEffect.measures

  private let options: EvaluateOptions

  /// Creates the stage.
  public init(_ options: EvaluateOptions) { self.options = options }

  /// Finds a context in which no prediction counts, and fewer tokens than a window.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    options.settings.windowProblems
  }

  /// Opens the tokenizer.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    model.tokenizerProblems
  }

  /// Estimates the time of running every token through model and reference.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let tokens = Double(options.settings.tokens ?? 1_000_000)
    // Two operations per weight and token, at what two cores of 2024 reach in float32.
    let seconds = 2 * Double(promise.parameterCount) * tokens / 1.5e11
    var settings = options.settings
    // The reference runs beside the model; that it is about as large is all there is to go by.
    settings.agreement = options.reference != nil
    let largest = settings.agreement ? 2 * promise.byteCount : promise.byteCount
    return StagePlan(
      peakByteCount: TextEvaluator().estimatedPeakByteCount(settings, promise, largest: largest),
      seconds: options.reference == nil ? seconds : 2 * seconds
    )
  }

  /// Measures the model.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let settings = options.settings
    let text = try EvaluationText(
      settings.perplexity.source(context.paths),
      tokenizer: model.tokenizer(),
      kind: settings.protocol,
      context: settings.context,
      limit: settings.tokens
    )
    let reference = try options.reference.map {
      try ReferenceOutputs($0.load(context.paths), on: text)
    }
    let total = text.windows.tokens.count
    let result = try TextEvaluation(text).measure(model, against: reference) { done, rate in
      context.progress(done, of: total, unit: "tokens", rate.description)
    }
    return StageReport(metrics: result.metrics, warnings: text.warnings(for: model))
  }
}

/// The stages of this module.
public let evaluateStages: [any Stage.Type] = [EvaluateStage.self]
