public import Foundation
public import Models

/// Measures models and exported files in the way a recipe's `evaluation` asks for.
public protocol ModelEvaluator: Sendable {
  /// Finds what would stop the evaluation, before anything runs; problems name keys of
  /// `evaluation`.
  func check(_ settings: EvaluationSettings, paths: RecipePaths) -> [StageProblem]

  /// Finds what would stop it in what belongs to the recipe's model beside its weights, such as a
  /// damaged tokenizer.
  func checkCompanions(of model: LanguageModel) -> [StageProblem]

  /// About how long one measurement of a model takes on a machine with two cores, in seconds; nil
  /// if unknown.
  func estimatedSeconds(
    _ settings: EvaluationSettings,
    _ promise: ModelPromise,
    paths: RecipePaths
  ) -> Double?

  /// Estimates the most memory that is resident during one measurement, mapped files included.
  ///
  /// - Parameters:
  ///   - settings: What is measured.
  ///   - promise: The model before the first stage.
  ///   - largest: The size of the largest model or export that is measured, in bytes.
  /// - Returns: A number of bytes; nil if unknown.
  func estimatedPeakByteCount(
    _ settings: EvaluationSettings,
    _ promise: ModelPromise,
    largest: Int
  ) -> Int?

  /// Measures the model before the first stage, and keeps what later measurements are compared
  /// with, such as its outputs, in the context's reference folder.
  ///
  /// Called again by a resumed run only if the measurement was not completed.
  func measureBaseline(_ model: URL, _ context: EvaluationContext) throws -> ModelMeasurement

  /// Measures a checkpoint folder, or an exported file or folder opened by its format's reader.
  func measure(_ model: URL, _ context: EvaluationContext) throws -> ModelMeasurement
}

extension ModelEvaluator {
  /// None.
  public func check(_ settings: EvaluationSettings, paths: RecipePaths) -> [StageProblem] { [] }

  /// None.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] { [] }

  /// Unknown.
  public func estimatedPeakByteCount(
    _ settings: EvaluationSettings,
    _ promise: ModelPromise,
    largest: Int
  ) -> Int? { nil }

  /// Two operations per parameter and token, at what two cores do in float32.
  public func estimatedSeconds(
    _ settings: EvaluationSettings,
    _ promise: ModelPromise,
    paths: RecipePaths
  ) -> Double? {
    guard let limit = settings.tokens else { return nil }
    // The text that comes with the tool is short.
    let tokens = settings.perplexity == .builtinEvaluation ? min(limit, 6_000) : limit
    return 2 * Double(promise.parameterCount) * Double(tokens) / 1e11
  }
}

/// What an evaluator may use.
public struct EvaluationContext: Sendable {
  /// What to measure.
  public let settings: EvaluationSettings
  /// Where paths of the recipe start.
  public let paths: RecipePaths
  /// The model before the first stage, where it is at present.
  public let baseline: URL
  /// Where the baseline's outputs are kept between measurements and runs.
  public let referenceFolder: URL
  /// The recipe's seed.
  public let seed: UInt64
  let listener: any RunListener

  /// Creates a context.
  public init(
    settings: EvaluationSettings,
    paths: RecipePaths,
    baseline: URL,
    referenceFolder: URL,
    seed: UInt64,
    listener: any RunListener = SilentListener()
  ) {
    self.settings = settings
    self.paths = paths
    self.baseline = baseline
    self.referenceFolder = referenceFolder
    self.seed = seed
    self.listener = listener
  }

  /// Tells how far the measurement is.
  public func progress(_ done: Int, of total: Int, unit: String, _ message: String = "") {
    listener.receive(.progress(RunProgress(done: done, total: total, unit: unit, message: message)))
  }

  /// Tells the user something they should know.
  public func warn(_ message: String) { listener.receive(.warning(message)) }
}

/// Numbers measured on a model, by metric name.
public struct ModelMeasurement: Sendable, Hashable, Codable {
  /// The numbers, by the keys of ``Metric``: `perplexity`, `perplexity_standard_error`,
  /// `kl_mean`, `top1_agreement` and whatever else the evaluator measures.
  public var values: [String: Double]
  /// What the reader of the report should know before trusting them.
  public var warnings: [String]

  /// Creates a measurement.
  public init(_ values: [String: Double] = [:], warnings: [String] = []) {
    self.values = values
    self.warnings = warnings
  }
}
