internal import Datasets
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor
internal import Train
internal import TrainStages

/// One run of the stage.
struct TuneSession {
  private let options: TuneOptions
  private let model: LanguageModel
  private let context: StageContext
  private let teacher: LanguageModel

  init(_ options: TuneOptions, _ model: LanguageModel, _ context: StageContext) throws {
    self.options = options
    self.model = model
    self.context = context
    teacher =
      try options.teacher.map { try $0.load(context.paths) }
      ?? ModelLoader.load(context.baselineURL)
    let sizes = (
      teacher.configuration.vocabularySize, model.configuration.vocabularySize
    )
    guard sizes.0 == sizes.1 else {
      throw QuantizeError(
        .otherVocabulary,
        "the teacher knows \(sizes.0) tokens and the model \(sizes.1)",
        layer: "teacher",
        remedy: "take a teacher with the same tokenizer"
      )
    }
  }

  func run() throws -> StageReport {
    let data = try TrainingData(options.training, model, context)
    guard !data.validation.isEmpty else {
      throw QuantizeError(
        .tooLittleData,
        "no predictions are left to measure on",
        layer: "validation",
        remedy: "give more data, or raise `fraction`"
      )
    }
    let (weights, norms) = prepare()
    let parameters = weights.flatMap(\.parameters) + norms.parameters
    for weight in weights { weight.begin() }
    let result: TrainingResult
    do {
      result = try loop(data, parameters, weights, norms).run(
        folder: context.stateFolder,
        fingerprint: [
          "data": data.fingerprint, "seed": String(context.seed),
          "compute": options.compute.compute.precision.rawValue,
          "teacher": options.teacher?.text ?? "the recipe's model",
        ]
      )
    } catch {
      for weight in weights { weight.cancel() }
      throw error
    }
    for name in ["metrics.jsonl", "timing.jsonl"] { try keep(name) }
    let isUnchanged = result.restored?.step == 0
    for weight in weights { isUnchanged ? weight.cancel() : weight.finish() }
    norms.freeze(isUnchanged: isUnchanged)
    TensorMemory.trim()
    let report = report(result, data, weights, parameters)
    for index in model.blocks.indices {
      try context.finishBlock(index, of: model.blocks.count)
    }
    return report
  }

  // MARK: - Preparing

  private func prepare() -> (weights: [TunedWeight], norms: TunedNorms) {
    let precision = options.compute.compute.precision
    if options.compute.compute == .bfloat16 && precision == .float32 {
      context.warn("this processor has no bfloat16 products: computed in float32")
    }
    let trainsCodes = options.codes == .straightThrough
    let originals =
      trainsCodes
      ? Dictionary(teacher.matrices.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
      : [:]
    let selected = model.matrices.filter {
      options.parts.scales && options.selection.selects($0.name)
    }
    let weights = selected.compactMap { linear -> TunedWeight? in
      linear.precision = precision
      let original = originals[linear.name].flatMap {
        $0.rows == linear.rows && $0.columns == linear.columns ? $0.weight.dense : nil
      }
      return TunedWeight(linear, unquantized: original, trainsCodes: trainsCodes)
    }
    let norms =
      options.parts.norms
      ? model.norms.filter { options.selection.selects($0.name) } : []
    return (weights, TunedNorms(norms, storedAs: options.normType.dtype))
  }

  private func steps(_ data: TrainingData) -> Int {
    if let steps = options.steps { return steps }
    let rows = Double(data.rowsPerEpoch) * options.epochs
    return max(1, Int((rows / Double(options.batches.batch)).rounded(.up)))
  }

  private func loop(
    _ data: TrainingData,
    _ parameters: [Parameter],
    _ weights: [TunedWeight],
    _ norms: TunedNorms
  ) -> TrainingLoop<TokenBatch> {
    var settings = TrainingOptions(schedule: options.rule.schedule(steps: steps(data)))
    settings.partsPerStep = options.batches.accumulation
    settings.clipNorm = options.rule.clipNorm
    settings.average = options.rule.average.map { .init(decay: $0) }
    settings.validationInterval = options.validation.every
    settings.patience = options.validation.patience
    settings.keepsBest = true
    settings.checkpointTime = .seconds(60 * options.saveMinutes)
    settings.groups = ParameterGroups(
      [
        ParameterGroup("*norm.weight", rateFactor: options.normRate),
        ParameterGroup("*.weight_codes", rateFactor: options.codeRate),
      ].filter { group in parameters.contains { group.pattern.matches($0.name) } }
    )
    let measured = MeasuredBatches(data.validation, teacher: teacherHidden)
    return TrainingLoop(
      parameters: parameters,
      optimizer: options.rule.makeOptimizer,
      options: settings,
      batch: { step, part in try data.batch(step: step, part: part, options.batches) },
      tokenCount: \.countedTargets,
      loss: { batch in
        divergence(batch, teacherHidden(batch), recompute: options.compute.recompute).value
      },
      validationLoss: {
        for weight in weights { weight.isRounded = true }
        defer { for weight in weights { weight.isRounded = false } }
        let isStart = norms.areAtStart && weights.allSatisfy(\.isAtStart)
        return norms.asStored(isUnchanged: isStart) {
          measured.mean { divergence($0, $1, recompute: .none) }
        }
      },
      onProgress: report
    )
  }

  /// The hidden states of the original model, `[B · T, D]`, not recorded.
  private func teacherHidden(_ batch: TokenBatch) -> Tensor {
    teacher.trainingHidden(
      batch.tokens,
      rows: batch.rows,
      documentStarts: starts(batch),
      recomputation: .none
    )
  }

  /// The mean of KL(teacher ‖ model) over the tokens that have a successor.
  private func divergence(
    _ batch: TokenBatch,
    _ teacherHidden: Tensor,
    recompute: Recomputation
  ) -> HeadLoss {
    let hidden = model.trainingHidden(
      batch.tokens,
      rows: batch.rows,
      documentStarts: starts(batch),
      recomputation: recompute
    )
    var head = HeadLossOptions()
    head.precision = model.head.precision
    return hidden.headDivergence(
      head: model.head.headMatrix,
      reference: .head(hidden: teacherHidden, matrix: teacher.head.headMatrix),
      divergence: .forwardKL,
      targets: batch.targets,
      options: head
    )
  }

  private func starts(_ batch: TokenBatch) -> [Int32]? {
    options.batches.separatesDocuments ? batch.documentStarts : nil
  }

  // MARK: - Reporting

  private func report(_ progress: TrainingProgress) {
    var message = "divergence \(Self.text(progress.smoothedLoss))"
    if let validation = progress.validationLoss {
      message += ", validation \(Self.text(validation))"
    }
    message += String(format: ", %.0f tokens/s", progress.tokensPerSecond)
    context.progress(progress.step, of: progress.steps, unit: "steps", message)
  }

  private static func text(_ number: Double) -> String { String(format: "%.5f", number) }

  private func report(
    _ result: TrainingResult,
    _ data: TrainingData,
    _ weights: [TunedWeight],
    _ parameters: [Parameter]
  ) -> StageReport {
    var report = StageReport()
    report.metrics["steps"] = Double(result.steps)
    report.metrics["trained_tokens"] = Double(result.tokenCount)
    report.metrics["trained_parameters"] = Double(parameters.reduce(0) { $0 + $1.count })
    report.metrics["training_divergence"] = result.lastLoss
    report.metrics["validation_divergence_before"] = result.validations.first?.loss
    report.metrics["validation_divergence"] = result.restored?.loss
    report.metrics["validation_step"] = result.restored.map { Double($0.step) }
    if result.stoppedEarly {
      report.warnings.append("stopped after \(result.steps) steps: no improvement")
    }
    if result.restored?.step == 0 {
      report.warnings.append("tuning never improved on the start, which is kept unchanged")
    }
    report.layers = weights.map { weight in
      let linear = weight.linear
      return .quantized(
        linear.name,
        linear.format,
        (linear.rows, linear.columns),
        byteCountBefore: linear.format.byteCount(rows: linear.rows, columns: linear.columns),
        method: options.codes == .fixed ? "scales tuned" : "scales and codes tuned",
        values: ["scale_change": weight.relativeChange],
        note: weight.note
      )
    }
    for (counts, (name, _)) in zip(data.counts, data.summaries) where counts.dropped > 0 {
      report.warnings.append("\(counts.dropped) documents of \(name) are too long and left out")
    }
    return report
  }

  /// Copies a file that grew in the state folder to where it stays.
  private func keep(_ name: String) throws {
    let target = context.folder.appending(path: name)
    if FileManager.default.fileExists(atPath: target.path) {
      try FileManager.default.removeItem(at: target)
    }
    try FileManager.default.copyItem(at: context.stateFolder.appending(path: name), to: target)
  }
}

/// What is measured again and again, with the teacher's hidden states, which are computed once.
private final class MeasuredBatches {
  private let batches: [TokenBatch]
  private let teacher: (TokenBatch) -> Tensor
  private var hidden: [Tensor] = []

  init(_ batches: [TokenBatch], teacher: @escaping (TokenBatch) -> Tensor) {
    self.batches = batches
    self.teacher = teacher
  }

  func mean(_ loss: (TokenBatch, Tensor) -> HeadLoss) -> Double {
    if hidden.isEmpty { hidden = batches.map(teacher) }
    var (sum, weight) = (0.0, 0.0)
    for (batch, states) in zip(batches, hidden) {
      let found = loss(batch, states)
      sum += found.divergenceSum
      weight += found.weightSum
    }
    return sum / weight
  }
}
