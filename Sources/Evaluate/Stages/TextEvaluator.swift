internal import Datasets
public import Foundation
public import Models
public import Pipeline

/// Measures what a recipe's `evaluation` asks for: perplexity and agreement on a text, and size.
public struct TextEvaluator: ModelEvaluator {
  /// Creates the evaluator.
  public init() {}

  /// Finds a context in which no prediction counts, fewer tokens than a window, and a text that
  /// cannot be read.
  public func check(_ settings: EvaluationSettings, paths: RecipePaths) -> [StageProblem] {
    settings.problems(paths)
  }

  /// Opens the tokenizer.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    model.tokenizerProblems
  }

  /// What holds the models, and for each token of a window two slices of logits and the activations
  /// of a block; with agreement the baseline's head and slices as well.
  public func estimatedPeakByteCount(
    _ settings: EvaluationSettings,
    _ promise: ModelPromise,
    largest: Int
  ) -> Int? {
    let model = promise.configuration
    let logits = 2 * VocabularyScan.sliceLength * (settings.agreement ? 2 : 1)
    // Of each intermediate value several are alive at a time, or free but not yet given back.
    let activations = 32 * model.hiddenSize + 16 * model.feedForwardSize
    let head = promise["lm_head"] ?? promise["model.embed_tokens"]
    let kept = settings.agreement ? head?.byteCount ?? 0 : 0
    return promise.peakByteCount(
      making: largest - promise.byteCount + kept + 4 * settings.context * (logits + activations)
    )
  }

  /// Measures the model before the first stage; if agreement is asked for, keeps its outputs.
  public func measureBaseline(_ model: URL, _ context: EvaluationContext) throws -> ModelMeasurement
  {
    let loaded = try ModelLoader.load(model)
    let evaluation = TextEvaluation(try context.text(for: loaded))
    let progress = context.progress(evaluation, "baseline")
    let result =
      try context.settings.agreement
      ? evaluation.measureReference(
        loaded,
        keepingOutputsIn: context.referenceFolder,
        progress: progress
      )
      : evaluation.measure(loaded, progress: progress)
    return try measurement(result, loaded, model, evaluation.text)
  }

  /// Measures a model and, if agreement is asked for, compares it with the baseline.
  public func measure(_ model: URL, _ context: EvaluationContext) throws -> ModelMeasurement {
    let loaded = try ModelLoader.load(model)
    let evaluation = TextEvaluation(try context.text(for: loaded))
    let reference =
      context.settings.agreement
      ? try ReferenceOutputs(
        keptIn: context.referenceFolder,
        of: context.baseline,
        for: evaluation.text
      ) : nil
    let result = try evaluation.measure(
      loaded,
      against: reference,
      progress: context.progress(evaluation, "evaluation")
    )
    return try measurement(result, loaded, model, evaluation.text)
  }

  private func measurement(
    _ result: TextEvaluation.Result,
    _ model: LanguageModel,
    _ url: URL,
    _ text: EvaluationText
  ) throws -> ModelMeasurement {
    let size = try ModelSize(of: url, parameterCount: model.parameterCount)
    var values = result.metrics
    values["size_bytes"] = Double(size.byteCount)
    values["bits_per_weight"] = size.bitsPerWeight
    values["parameters"] = Double(size.parameterCount)
    return ModelMeasurement(values, warnings: text.warnings(for: model))
  }
}

extension EvaluationContext {
  /// The text of the settings as a model's own tokenizer reads it.
  fileprivate func text(for model: LanguageModel) throws -> EvaluationText {
    try EvaluationText(
      settings.perplexity.source(paths),
      tokenizer: model.tokenizer(),
      kind: settings.protocol,
      context: settings.context,
      limit: settings.tokens
    )
  }

  fileprivate func progress(
    _ evaluation: TextEvaluation,
    _ title: String
  ) -> (Int, ProgressRate) -> Void {
    let total = evaluation.text.windows.tokens.count
    return { done, rate in
      progress(done, of: total, unit: "tokens", "\(title), \(rate)")
    }
  }
}

extension EvaluationSettings {
  /// What keeps a window from having a counted prediction, or the text from having a window.
  var windowProblems: [StageProblem] {
    var problems: [StageProblem] = []
    if self.protocol == .llamaCPP && context < 3 {
      problems.append(
        StageProblem("`llama.cpp` needs a context of at least 3 tokens", option: "context")
      )
    }
    if let tokens, tokens < context {
      problems.append(
        StageProblem("\(tokens) tokens do not fill one window of \(context)", option: "tokens")
      )
    }
    return problems
  }

  /// What would stop a measurement, found without reading a model.
  func problems(_ paths: RecipePaths) -> [StageProblem] {
    var problems = windowProblems
    do {
      _ = try perplexity.source(paths).read()
    } catch {
      problems.append(StageProblem(error.description, option: "perplexity"))
    }
    return problems
  }
}

extension LanguageModel {
  /// Why no text can be measured: the tokenizer is missing or damaged.
  var tokenizerProblems: [StageProblem] {
    do {
      _ = try tokenizer()
      return []
    } catch {
      return [StageProblem("the tokenizer cannot be opened: \(RunError.text(error))")]
    }
  }
}

extension EvaluationText {
  /// What the reader of a measurement should know.
  package func warnings(for model: LanguageModel) -> [String] {
    let trained = model.configuration.contextLength
    var warnings: [String] = []
    if windows.length > trained {
      warnings.append(
        "windows of \(windows.length) tokens are longer than the \(trained) the model was made for"
      )
    }
    if windows.count == 1 && kind == .windows {
      warnings.append("one window gives no standard error; use a longer text")
    }
    return warnings
  }
}
