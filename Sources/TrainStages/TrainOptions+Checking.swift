package import Models
package import Pipeline
package import Train

extension TrainOptions {
  /// Finds patterns without a match, sequences longer than the context, and too little memory, and
  /// promises what the training leaves behind.
  ///
  /// - Parameters:
  ///   - promise: The model before the training; after it on return, if nothing is wrong.
  ///   - changeEstimate: Adds what the training needs beside the model.
  /// - Returns: The problems.
  package func check(
    _ promise: inout ModelPromise,
    _ changeEstimate: (inout TrainingEstimate) -> Void = { _ in }
  ) -> [StageProblem] {
    var estimate = TrainingEstimate(self, promise)
    changeEstimate(&estimate)
    var problems = parts.check(estimate.candidates)
    problems += batches.lengthProblems(promise.configuration)
    if problems.isEmpty { problems += zeroProblems(promise, trained: estimate.trained) }
    if problems.isEmpty, let objection = estimate.memoryObjection { problems.append(objection) }
    guard problems.isEmpty else { return problems }
    let trained = Set(estimate.trained.map(\.name))
    promiseTrained(trained, &promise)
    return []
  }

  /// The data.
  package var fittedTexts: [FittedText] {
    data.enumerated().map { index, input in
      FittedText(.records(input.text, batches.records), option: "data.\(index)")
    }
  }

  /// Finds a tokenizer or a chat template that cannot be read.
  package func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    do {
      _ = try RecordEncoders(model, batches)
      return []
    } catch {
      return [StageProblem("the model's tokenizer or chat template cannot be used: \(error)")]
    }
  }

  /// How a training of some steps runs.
  package func loopOptions(steps: Int) -> TrainingOptions {
    var settings = TrainingOptions(schedule: rule.schedule(steps: steps))
    settings.partsPerStep = batches.accumulation
    settings.clipNorm = rule.clipNorm
    settings.average = rule.average.map { .init(decay: $0) }
    settings.validationInterval = validation.every
    settings.patience = validation.patience
    settings.keepsBest = validation.keepBest
    settings.checkpointTime = .seconds(60 * saveMinutes)
    return settings
  }
}
