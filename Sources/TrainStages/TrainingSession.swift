package import Datasets
internal import Foundation
package import Models
package import Pipeline
package import Tensor
package import Train

/// A batch with what decides which inputs of adapters are dropped.
private struct SeededBatch {
  let batch: TokenBatch
  /// Whether the batch is not the data's.
  let isSampled: Bool
  let dropoutSeed: UInt64
}

/// Rows that take the place of the data's in some steps, made by the model as it is before the
/// step.
package struct SampledRows {
  /// Returns the rows of a step, from 1, and part, from 0, that take the place of the data's; nil
  /// if those stay.
  ///
  /// The same ones whenever it is asked with the same values of the parameters, so that a resumed
  /// training is the same as one that never stopped.
  package var rows: (_ batch: TokenBatch, _ step: Int, _ part: Int) throws -> TokenBatch?
  /// The mean loss over the counted tokens of such rows, to be differentiated.
  package var loss: (TokenBatch) throws -> Tensor

  /// Creates rows that are made and counted in some way.
  package init(
    rows: @escaping (_ batch: TokenBatch, _ step: Int, _ part: Int) throws -> TokenBatch?,
    loss: @escaping (TokenBatch) throws -> Tensor
  ) {
    (self.rows, self.loss) = (rows, loss)
  }
}

/// What a training minimizes.
package struct TrainingObjective {
  /// The mean loss over a batch's counted tokens, to be differentiated.
  package var loss: (TokenBatch) throws -> Tensor
  /// Sums over a batch's counted tokens by name, whose means over the validation data are reported.
  package var measure: ((TokenBatch) throws -> [String: Double])?
  /// Parameters that are trained beside the model's and belong to no model.
  package var helpers: [Parameter] = []
  /// What takes the place of the data's rows in some steps; validation is always on the data's.
  package var sampled: SampledRows?
  /// What else the result depends on.
  package var fingerprint: [String: String] = [:]

  /// Creates an objective.
  package init(loss: @escaping (TokenBatch) throws -> Tensor) { self.loss = loss }
}

/// One training of a model in a stage, that can be stopped and go on.
package struct TrainingSession {
  let options: TrainOptions
  let model: LanguageModel
  let context: StageContext
  let objective: TrainingObjective

  /// Prepares the training of a model.
  ///
  /// - Parameters:
  ///   - options: How to train.
  ///   - model: What to train.
  ///   - context: Where files go.
  ///   - objective: What to minimize; the model's cross-entropy if nil.
  package init(
    _ options: TrainOptions,
    _ model: LanguageModel,
    _ context: StageContext,
    objective: TrainingObjective? = nil
  ) {
    self.options = options
    self.model = model
    self.context = context
    self.objective =
      objective
      ?? TrainingObjective { batch in
        model.trainingLoss(
          batch.tokens,
          targets: batch.targets,
          rows: batch.rows,
          documentStarts: options.batches.separatesDocuments ? batch.documentStarts : nil,
          recomputation: options.compute.recompute
        )
      }
  }

  /// Trains on the options' data.
  package func run() throws -> StageReport {
    try run(on: TrainingData(options, model, context))
  }

  /// Trains on data that was read from the options' data.
  ///
  /// - Returns: What the training did and measured.
  /// - Throws: `TrainingError`, or what reading batches and the objective throw.
  package func run(on data: TrainingData) throws -> StageReport {
    let (parameters, adapters) = try prepare()
    let steps = self.steps(data)
    let held = options.heldZeros(model, steps: steps)
    var loop = loop(data, parameters + objective.helpers, steps: steps)
    loop.heldZeros = held
    let result = try loop.run(
      folder: context.stateFolder,
      fingerprint: objective.fingerprint.merging([
        "data": data.fingerprint, "seed": String(context.seed),
        "compute": options.compute.compute.precision.rawValue,
        "adapters": options.lora.map { "\($0.rank) \($0.alpha) \($0.dropout)" } ?? "none",
      ]) { $1 }
    )
    let measures = try measure(data.validation)
    for name in ["metrics.jsonl", "timing.jsonl"] { try keep(name) }
    if !adapters.isEmpty { try save(adapters) }
    model.mergeAdapters(as: options.type.dtype)
    model.freeze(as: options.type.dtype)
    TensorMemory.trim()
    var report = report(result, data, parameters, steps: steps)
    if let held { report.add(held) }
    for (name, value) in measures { report.metrics["validation_\(name)"] = value }
    return report
  }

  // MARK: - Preparing

  private func prepare() throws -> (parameters: [Parameter], adapters: [LowRankAdapter]) {
    let precision = options.compute.compute.precision
    if options.compute.compute == .bfloat16 && precision == .float32 {
      context.warn("this processor has no bfloat16 products: computed in float32")
    }
    guard let lora = options.lora else {
      return (model.makeTrainable(precision: precision, options.parts.selects), [])
    }
    for linear in model.linears where options.parts.selects(linear.name) {
      guard !options.hasZeros(linear, linear.weight.dense) else {
        throw TrainingError(
          .invalidOptions,
          "merging an adapter fills the weight's zeros",
          at: linear.name,
          remedy: "train the parts themselves, or set `keep_zeros: false`"
        )
      }
      linear.release()
    }
    let adapters = model.addAdapters(
      rank: lora.rank,
      alpha: lora.alpha,
      dropout: lora.dropout,
      seed: context.seed,
      precision: precision,
      options.parts.selects
    )
    return (adapters.flatMap(\.parameters), adapters)
  }

  private func steps(_ data: TrainingData) -> Int {
    if let steps = options.steps { return steps }
    let rows = Double(data.rowsPerEpoch) * options.epochs
    return max(1, Int((rows / Double(options.batches.batch)).rounded(.up)))
  }

  private func loop(
    _ data: TrainingData,
    _ parameters: [Parameter],
    steps: Int
  ) -> TrainingLoop<SeededBatch> {
    TrainingLoop(
      parameters: parameters,
      optimizer: options.rule.makeOptimizer,
      options: options.loopOptions(steps: steps),
      batch: { step, part in
        let batch = try data.batch(step: step, part: part, options.batches)
        let sampled = try sample(batch, step, part)
        return SeededBatch(
          batch: sampled ?? batch,
          isSampled: sampled != nil,
          dropoutSeed: context.seed &+ UInt64(step) &* 0x9E37_79B9 &+ UInt64(part)
        )
      },
      tokenCount: \.batch.countedTargets,
      loss: { part in
        model.setDropoutSeed(part.dropoutSeed)
        guard part.isSampled, let sampled = objective.sampled else {
          return try objective.loss(part.batch)
        }
        return try sampled.loss(part.batch)
      },
      validationLoss: data.validation.isEmpty ? nil : { try validationLoss(data.validation) },
      onProgress: report
    )
  }

  /// What takes the place of a batch, made without dropping inputs of adapters.
  private func sample(_ batch: TokenBatch, _ step: Int, _ part: Int) throws -> TokenBatch? {
    guard let sampled = objective.sampled else { return nil }
    model.setDropoutSeed(nil)
    return try sampled.rows(batch, step, part)
  }

  /// The mean over all counted predictions.
  private func validationLoss(_ batches: [TokenBatch]) throws -> Double {
    model.setDropoutSeed(nil)
    var (sum, count) = (0.0, 0)
    for batch in batches {
      sum += try objective.loss(batch).scalar * Double(batch.countedTargets)
      count += batch.countedTargets
    }
    return sum / Double(count)
  }

  /// The means of what is reported of the result.
  private func measure(_ batches: [TokenBatch]) throws -> [String: Double] {
    guard let measure = objective.measure else { return [:] }
    model.setDropoutSeed(nil)
    var (sums, count) = ([String: Double](), 0)
    for batch in batches {
      sums.merge(try measure(batch), uniquingKeysWith: +)
      count += batch.countedTargets
    }
    return sums.mapValues { $0 / Double(count) }
  }

  // MARK: - Reporting

  private func report(_ progress: TrainingProgress) {
    var message = "loss \(Self.text(progress.smoothedLoss, 4))"
    if let validation = progress.validationLoss {
      message += ", validation \(Self.text(validation, 4))"
    }
    message += ", \(Self.text(progress.tokensPerSecond, 0)) tokens/s"
    context.progress(progress.step, of: progress.steps, unit: "steps", message)
  }

  private static func text(_ number: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", number)
  }

  private func report(
    _ result: TrainingResult,
    _ data: TrainingData,
    _ parameters: [Parameter],
    steps: Int
  ) -> StageReport {
    var report = StageReport()
    report.metrics["steps"] = Double(result.steps)
    report.metrics["trained_tokens"] = Double(result.tokenCount)
    report.metrics["trained_parameters"] = Double(parameters.reduce(0) { $0 + $1.count })
    report.metrics["training_loss"] = result.lastLoss
    if let first = result.validations.first {
      report.metrics["validation_loss_before"] = first.loss
    }
    if let last = result.restored ?? result.validations.last {
      report.metrics["validation_loss"] = last.loss
      report.metrics["validation_step"] = Double(last.step)
    }
    if result.stoppedEarly {
      report.warnings.append("stopped after \(result.steps) of \(steps) steps: no improvement")
    }
    if let restored = result.restored, restored.step == 0 {
      report.warnings.append("training never improved on the start, which is kept unchanged")
    }
    if result.restored == nil, let first = result.validations.first,
      let last = result.validations.last, last.loss > first.loss
    {
      report.warnings.append(
        "the result is worse than the start by validation: \(Self.text(last.loss, 4)) against "
          + "\(Self.text(first.loss, 4))"
      )
    }
    for (name, summary) in data.summaries where summary.records.broken > 0 {
      let first = summary.records.firstBroken.map { ", first: \($0)" } ?? ""
      report.warnings.append(
        "\(summary.records.broken) broken lines of \(name) were skipped\(first)"
      )
    }
    for (counts, (name, _)) in zip(data.counts, data.summaries) {
      if counts.dropped > 0 {
        report.warnings.append("\(counts.dropped) documents of \(name) are too long and left out")
      }
      if counts.cut > 0 {
        report.warnings.append("\(counts.cut) documents of \(name) are too long and were cut")
      }
    }
    return report
  }

  private func save(_ adapters: [LowRankAdapter]) throws {
    let folder = context.folder.appending(path: "adapter")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try AdapterWriter.write(adapters, base: model.companions.name, to: folder)
  }

  /// Copies a file that grew in the state folder to where it stays.
  private func keep(_ name: String) throws {
    let target = context.folder.appending(path: name)
    try? FileManager.default.removeItem(at: target)
    try FileManager.default.copyItem(at: context.stateFolder.appending(path: name), to: target)
  }
}

extension StageReport {
  /// Adds how many zeros were held, and where.
  package mutating func add(_ held: HeldZeros) {
    metrics["held_zeros"] = Double(held.parameters.reduce(0) { $0 + held.count(of: $1) })
    metrics["held_sparsity"] = held.sparsity
    for parameter in held.parameters {
      let name =
        parameter.name.hasSuffix(".weight") ? parameter.name.dropLast(7) : parameter.name[...]
      let sparsity = Double(held.count(of: parameter)) / Double(max(1, parameter.count))
      layers.append(Layer(String(name), ["held_sparsity": sparsity]))
    }
  }
}
