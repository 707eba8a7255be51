internal import Checkpoints
internal import Crypto
internal import Foundation
internal import Tensor

/// A training that is going on.
final class TrainingRun<Batch> {
  let loop: TrainingLoop<Batch>
  let optimizer: OptimizerState
  var counters = TrainingCounters()
  private let average: MovingAverage?
  private let folder: URL?
  private let state: TrainingState?
  private let fingerprint: [String: String]
  private var metrics: TrainingMetrics?
  /// The values with the least validation loss, if there is no folder to keep them in.
  private var keptBest: [Tensor]?
  private let clock = ContinuousClock()
  private var lastSaving: ContinuousClock.Instant

  init(_ loop: TrainingLoop<Batch>, folder: URL?, fingerprint: [String: String]) throws {
    try loop.options.check()
    self.loop = loop
    self.folder = folder
    optimizer = try OptimizerState(loop.optimizer, loop.parameters, groups: loop.options.groups)
    average = loop.options.average.map { MovingAverage(loop.parameters, $0) }
    state = folder.map { TrainingState(folder: $0.appending(path: "state")) }
    lastSaving = clock.now
    guard !loop.parameters.isEmpty else {
      throw TrainingError(
        .invalidOptions,
        "there is nothing to train",
        at: "parameters",
        remedy: "choose parameters that the model has"
      )
    }
    guard loop.validationLoss != nil || loop.options.patience == nil else {
      throw TrainingError(
        .invalidOptions,
        "stopping early needs a validation loss",
        at: "patience",
        remedy: "validate, or leave patience out"
      )
    }
    var hash = SHA256()
    for parameter in loop.parameters {
      hash.update(data: Data("\(parameter.name) \(parameter.shape) \(parameter.dtype)\n".utf8))
    }
    var own = [
      "optimizer": loop.optimizer.summary, "options": loop.options.summary,
      "parameters": hash.finalize().text,
    ]
    if let held = loop.heldZeros { own["zeros"] = held.summary }
    self.fingerprint = fingerprint.merging(own) { given, own in "\(given) \(own)" }
  }

  func run() throws -> TrainingResult {
    try resume()
    if counters.step == 0 && counters.validations.isEmpty, let loss = try validate(after: 0) {
      try metrics?.append(step: 0, ["validation_loss": loss])
    }
    if counters.step == 0 { try growZeros() }
    let steps = loop.options.schedule.steps
    let (start, startTokens, startStep) = (clock.now, counters.tokenCount, counters.step)
    while counters.step < steps && !counters.hasStopped {
      let began = clock.now
      let step = try takeStep(counters.step + 1)
      count(step)
      try growZeros()
      average?.update()
      let computed = clock.now - began
      let isLast = counters.step == steps
      let interval = loop.options.validationInterval
      let isDue = isLast || interval.map { counters.step % $0 == 0 } ?? false
      let validation = isDue ? try validate(after: counters.step) : nil
      try metrics?.append(
        step: counters.step,
        [
          "loss": step.tokenCount > 0 ? step.loss : nil, "rate": step.rate,
          "gradient_norm": step.gradientNorm,
          "tokens": Double(step.tokenCount), "sparsity": sparsity,
          "validation_loss": validation,
        ],
        timing: [
          "seconds": computed / .seconds(1),
          "tokens_per_second": Double(step.tokenCount) / (computed / .seconds(1)),
        ]
      )
      let saved = isLast || counters.hasStopped || isSavingDue
      if saved { try save() }
      let passed = clock.now - start
      let done = counters.step - startStep
      let left = counters.hasStopped ? 0 : steps - counters.step
      try report(
        TrainingProgress(
          step: counters.step,
          steps: steps,
          loss: step.loss,
          smoothedLoss: counters.smoothedLoss / max(counters.smoothedWeight, 0.05),
          rate: step.rate,
          gradientNorm: step.gradientNorm,
          validationLoss: validation,
          isBest: validation != nil && counters.best?.step == counters.step,
          tokensPerSecond: Double(counters.tokenCount - startTokens) / (passed / .seconds(1)),
          timeLeft: passed * left / done
        ),
        isSaved: saved
      )
    }
    return try finish()
  }

  private func count(_ step: TakenStep) {
    counters.step += 1
    counters.tokenCount += step.tokenCount
    guard step.tokenCount > 0 else { return }
    counters.lastLoss = step.loss
    counters.smoothedLoss = 0.95 * counters.smoothedLoss + 0.05 * step.loss
    counters.smoothedWeight = 0.95 * counters.smoothedWeight + 0.05
  }

  /// Lets join what is to be zero from here on, in the average too.
  private func growZeros() throws {
    guard let held = loop.heldZeros, try held.grow(after: counters.step) else { return }
    average?.change { held.clear(&$1, of: $0) }
  }

  /// The fraction of zeros while it grows.
  private var sparsity: Double? {
    loop.heldZeros.flatMap { $0.completeStep > 0 ? $0.sparsity : nil }
  }

  private func report(_ progress: TrainingProgress, isSaved: Bool) throws {
    do { try loop.onProgress(progress) } catch let error as CancellationError {
      if !isSaved { try save() }
      throw error
    }
  }

  private func finish() throws -> TrainingResult {
    var restored: TrainingResult.Validation?
    if loop.options.keepsBest, let best = counters.best {
      try restoreBest(best)
      restored = TrainingResult.Validation(step: best.step, loss: best.loss)
    } else {
      average?.swap()
    }
    return TrainingResult(
      steps: counters.step,
      stoppedEarly: counters.hasStopped && counters.step < loop.options.schedule.steps,
      tokenCount: counters.tokenCount,
      lastLoss: counters.lastLoss ?? .nan,
      validations: counters.validations,
      restored: restored
    )
  }

  // MARK: - Validation

  /// Measures the validation loss, keeps the parameters if it is the least, and counts towards
  /// stopping otherwise.
  private func validate(after step: Int) throws -> Double? {
    guard let measure = loop.validationLoss else { return nil }
    average?.swap()
    defer { average?.swap() }
    let loss = try measure()
    guard loss.isFinite else {
      throw notFinite("the validation loss is \(loss)", at: "validation after step \(step)")
    }
    counters.validations.append(TrainingResult.Validation(step: step, loss: loss))
    // What has fewer zeros than asked for is no result.
    guard step >= loop.heldZeros?.completeStep ?? 0 else { return loss }
    if let best = counters.best, loss >= best.loss - loop.options.minimumImprovement {
      counters.validationsWithoutImprovement += 1
      if let patience = loop.options.patience {
        counters.hasStopped = counters.validationsWithoutImprovement >= patience
      }
      return loss
    }
    counters.validationsWithoutImprovement = 0
    counters.best = TrainingCounters.Best(step: step, loss: loss)
    if loop.options.keepsBest {
      let values = loop.parameters.map { ($0.name, $0.value) }
      counters.best?.checksum = try state?.writeBest(values, step: step)
      if state == nil { keptBest = values.map(\.1) }
    }
    return loss
  }

  private func restoreBest(_ best: TrainingCounters.Best) throws {
    if let keptBest {
      for (parameter, value) in zip(loop.parameters, keptBest) { parameter.value = value }
    } else if let state {
      let file = try state.best(best)
      for parameter in loop.parameters {
        parameter.value = try state.tensor(
          parameter.name,
          of: file,
          shape: parameter.shape,
          dtype: parameter.dtype
        )
      }
    }
  }

  // MARK: - State

  private var isSavingDue: Bool {
    let options = loop.options
    if let interval = options.checkpointInterval, counters.step % interval == 0 { return true }
    if let time = options.checkpointTime { return clock.now - lastSaving >= time }
    return false
  }

  private func save() throws {
    guard let state, loop.options.savesState else { return }
    try metrics?.synchronize()
    counters.averageUpdates = average?.updateCount ?? 0
    try state.write(
      counters,
      fingerprint: fingerprint,
      byteCounts: metrics?.byteCounts ?? TrainingMetrics.ByteCounts(),
      tensors: loop.parameters.map { ("parameter.\($0.name)", $0.value) }
        + optimizer.tensors.map { ("optimizer.\($0.name)", $0.tensor) }
        + (average?.tensors ?? []).map { ("average.\($0.name)", $0.tensor) }
        + (loop.heldZeros?.tensors ?? []).map { ("zeros.\($0.name)", $0.tensor) }
    )
    lastSaving = clock.now
  }

  /// Takes over the saved state, if there is one, and cuts the metrics back to it.
  private func resume() throws {
    guard let folder, let state else { return }
    try state.prepare()
    let record = try state.read(fingerprint: fingerprint)
    if let record { try restore(record, from: state) }
    metrics = try TrainingMetrics(
      folder,
      keeping: record?.byteCounts ?? TrainingMetrics.ByteCounts()
    )
    state.clean(keeping: record)
  }

  private func restore(_ record: TrainingRecord, from state: TrainingState) throws {
    let file = try state.tensors(record)
    // Found now rather than after the last step.
    if loop.options.keepsBest, let best = record.counters.best { _ = try state.best(best) }
    func values(_ prefix: String) throws -> [Tensor] {
      try loop.parameters.map {
        try state.tensor("\(prefix).\($0.name)", of: file, shape: $0.shape, dtype: $0.dtype)
      }
    }
    let parameters = try values("parameter")
    let averages = average == nil ? [] : try values("average")
    try optimizer.restore { name in
      guard let entry = file.entry("optimizer.\(name)"), case .elements(let dtype) = entry.encoding
      else { return nil }
      return try state.tensor(entry.name, of: file, shape: entry.shape, dtype: dtype)
    }
    try loop.heldZeros?.restore { name, shape in
      try state.tensor("zeros.\(name)", of: file, shape: shape, dtype: .uint8)
    }
    for (parameter, value) in zip(loop.parameters, parameters) { parameter.value = value }
    average?.restore(averages, updateCount: record.counters.averageUpdates)
    counters = record.counters
  }
}
