internal import Datasets
public import Foundation
public import Models
public import Pipeline

/// The options of the stage `evaluate`.
public struct EvaluateOptions: StageOptions {
  /// What is measured; `agreement` of the recipe's `evaluation` is not an option here.
  public var settings = EvaluationSettings()
  /// A model to compare with; nil for perplexity only.
  public var reference: ModelPath?
  /// Where the most likely tokens of a reference are kept; nil to compare with the reference itself.
  public var cache: CacheOptions?

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
      ),
      .field(
        "cache",
        \.cache,
        "Compares with the most likely tokens of the reference that are kept in the folder `path` "
          + "(`kl_lower_bound`, `top1_agreement`). With `reference` they are kept there if they are "
          + "not yet, which may be a folder of `distill.logits`; without, its checkpoint is not "
          + "needed, and as many tokens count as are kept there, whatever `top_k` is."
      ),
    ]
  }

  /// Finds a cache without a place.
  public func problems() -> [StageProblem] {
    guard let cache, cache.path == nil else { return [] }
    return [
      StageProblem("name the folder that the reference's outputs are kept in", option: "cache.path")
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

  /// Tells which comparisons the options leave out.
  public func missing(_ metric: String) -> String? {
    let (hasReference, hasCache) = (options.reference != nil, options.cache != nil)
    return switch metric {
    case "kl_lower_bound" where !hasCache: "is measured there only with `cache`"
    case "top1_agreement" where !hasReference && !hasCache:
      "is measured there only with `reference` or `cache`"
    case "kl_mean", "kl_99", "kl_max", "loss_increase":
      hasReference && !hasCache ? nil : "is measured there only with `reference`, without `cache`"
    default: nil
    }
  }

  /// Opens the tokenizer.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    model.tokenizerProblems
  }

  /// The descriptions of what is kept of a reference that is not named: its outputs decide.
  public func otherInputs(_ paths: RecipePaths) -> [URL] {
    guard options.reference == nil, let folder = options.cache?.path?.url(paths) else { return [] }
    return TeacherCache.folders(in: folder).map { $0.appending(path: TeacherCache.descriptionName) }
  }

  /// The estimate, with a warning if nothing is kept in a folder that is to be read.
  public func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan {
    var plan = plan(promise)
    guard options.reference == nil, let folder = options.cache?.path?.url(setting.paths),
      TeacherCache.folders(in: folder).isEmpty
    else { return plan }
    plan.warnings.append(
      StageProblem(
        "nothing is kept in \(folder.path) yet: a stage before this one has to do it",
        option: "cache.path"
      )
    )
    return plan
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
    var plan = StagePlan(
      peakByteCount: TextEvaluator().estimatedPeakByteCount(settings, promise, largest: largest),
      seconds: options.reference == nil ? seconds : 2 * seconds
    )
    if options.cache != nil {
      plan.notes.append(
        "the divergence is a lower bound, as the reference's less likely tokens count as one"
      )
    }
    return plan
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
    let total = text.windows.tokens.count
    func progress(_ done: Int, _ rate: ProgressRate) {
      context.progress(done, of: total, unit: "tokens", rate.description)
    }
    let reference = try options.reference.map { try $0.load(context.paths) }
    let evaluation = TextEvaluation(text)
    guard let cache = options.cache, let folder = cache.path?.url(context.paths) else {
      let outputs = try reference.map { try ReferenceOutputs($0, on: text) }
      let result = try evaluation.measure(model, against: outputs, progress: progress)
      return StageReport(metrics: result.metrics, warnings: text.warnings(for: model))
    }
    let kept =
      try reference.map { try KeptOutputs(of: $0, in: folder, topK: cache.topK, on: text) }
      ?? KeptOutputs(keptIn: folder, for: text, measuring: model)
    let result = try evaluation.measure(model, against: kept, progress: progress)
    var report = StageReport(
      metrics: result.metrics,
      warnings: text.warnings(for: model) + kept.notes
    )
    report.metrics["teacher_rows_computed"] = Double(kept.windows.computed)
    report.metrics["teacher_rows_found"] = Double(kept.windows.found)
    return report
  }
}

/// The stages of this module.
public let evaluateStages: [any Stage.Type] = [EvaluateStage.self]

/// The metrics that only they have.
public let evaluateMetrics = [
  Metric(
    "kl_lower_bound",
    title: "KL, at least",
    source: .stage,
    lessIsBetter: true,
    isDetail: true,
    "Mean divergence from the most likely tokens that are kept of a reference, all others counted as "
      + "one, in nats."
  )
]
