internal import Datasets
internal import Foundation
internal import Models
package import Pipeline
internal import Tensor
internal import Train

/// What a training will need, from the sizes of a model.
package struct TrainingEstimate {
  let options: TrainOptions
  let promise: ModelPromise
  /// What is resident beside the training, such as a teacher.
  package var extraByteCount = 0
  /// Further operations for every token.
  package var extraOperations = 0.0
  /// Further operations for every token when its row is met first.
  package var firstOperations = 0.0
  /// Further seconds for every step.
  package var extraSeconds = 0.0
  /// About how many rows an epoch has; nil if the data was not looked at.
  package var rowsPerEpoch: Int?

  /// Estimates the training of a model.
  package init(_ options: TrainOptions, _ promise: ModelPromise) {
    self.options = options
    self.promise = promise
  }

  /// Estimates the training of a model on data that is there.
  package init(_ options: TrainOptions, _ promise: ModelPromise, _ setting: StageSetting) {
    self.init(options, promise)
    rowsPerEpoch = options.rowsPerEpoch(promise, setting.paths)
  }

  /// About how many steps there are; nil if that follows from data that was not looked at.
  package var steps: Int? {
    if let steps = options.steps { return steps }
    return rowsPerEpoch.map {
      let rows = Double($0) * options.epochs / Double(options.batches.batch)
      return max(1, Int(min(rows, 1e15).rounded(.up)))
    }
  }

  /// About how many different rows are learned from; nil if that is not known.
  package var distinctRows: Int? {
    steps.map { min($0 * options.batches.batch, rowsPerEpoch ?? .max) }
  }

  /// The parts that can be trained: all, or the linear layers that can have adapters.
  package var candidates: [ModelPromise.Part] {
    guard options.lora != nil else { return promise.parts }
    return promise.linears
  }

  /// The parts that are trained.
  package var trained: [ModelPromise.Part] { candidates.filter { options.parts.selects($0.name) } }

  /// The shapes of the trained parameters.
  var shapes: [Shape] {
    guard let lora = options.lora else { return trained.map(\.shape) }
    return trained.flatMap { part -> [Shape] in
      [[lora.rank, part.shape[1]], [part.shape[0], lora.rank]]
    }
  }

  /// The plan of the stage.
  package var plan: StagePlan {
    let count = shapes.reduce(0) { $0 + $1.count }
    var notes = ["\(count) parameters are trained"]
    if options.steps == nil, let steps {
      notes.append("about \(Wording.count(steps, "step", "steps")), by the size of the data")
    }
    if options.compute.compute == .bfloat16 && !ProductPrecision.bfloat16.isSupported {
      notes.append(
        "this processor has no bfloat16 products: they are computed in float32, with the same "
          + "results as `compute: float32`"
      )
    }
    if options.rule.clipNorm != nil && options.batches.accumulation == 1 {
      notes.append(
        "gradients of all parameters are kept for clipping, \(ByteSize(4 * count)); "
          + "`clip_norm: null` needs only the largest"
      )
    }
    notes += options.zeroNotes(trained)
    return StagePlan(
      matches: options.parts.matches(in: candidates),
      peakByteCount: peakByteCount,
      seconds: seconds,
      notes: notes
    )
  }

  /// What to say if the machine, or the limit that the recipe sets, has too little memory.
  package var memoryObjection: StageProblem? {
    options.compute.memoryObjection(
      peakByteCount,
      remedy: "divide the batch by `accumulation`, choose `recompute: blocks`, `moments: 8bit` or "
        + "`lora`, or take shorter sequences",
      option: "batch"
    )
  }

  /// About the most that is resident: the model, what the optimizer keeps, activations.
  private var peakByteCount: Int {
    var settings = TrainingOptions(schedule: options.rule.schedule(steps: 1))
    settings.clipNorm = options.rule.clipNorm
    settings.partsPerStep = options.batches.accumulation
    settings.average = options.rule.average.map { .init(decay: $0) }
    let memory = TrainingMemory(
      shapes: shapes,
      optimizer: options.rule.makeOptimizer,
      options: settings
    )
    let replaced = options.lora == nil ? trained.reduce(0) { $0 + $1.byteCount } : 0
    let frozen = promise.byteCount - replaced
    let zeros =
      options.prune != nil || trained.contains(where: options.keepsZeros)
      ? shapes.reduce(0) { $0 + $1.count } / 8 : 0
    return 96_000_000 + extraByteCount + zeros + frozen + memory.total + activationByteCount
  }

  /// What the forward pass keeps for the backward pass, and a chunk of logits.
  package var activationByteCount: Int {
    let model = promise.configuration
    let tokens = options.batches.batch / options.batches.accumulation * options.batches.length
    let attention = 2 * model.queryHeads * model.headSize + 2 * model.keyHeads * model.headSize
    let residual = 2 * model.hiddenSize
    let gate = 2 * model.feedForwardSize
    let block = residual + attention + gate
    let kept =
      switch options.compute.recompute {
      case .none: model.layerCount * block
      case .feedForward: model.layerCount * (residual + attention) + gate
      case .blocks: model.layerCount * model.hiddenSize + block
      }
    let logits = min(64 << 20, 4 * tokens * model.vocabularySize)
    // The head's gradient is computed with the loss, beside the sum of earlier parts.
    let isHeadTrained = trained.contains { $0.name == "model.embed_tokens" || $0.name == "lm_head" }
    let head =
      isHeadTrained && options.lora == nil && options.batches.accumulation > 1
      ? 4 * model.vocabularySize * model.hiddenSize : 0
    return 4 * tokens * (kept + 3 * model.feedForwardSize + model.hiddenSize) + logits + head
  }

  private var seconds: Double? {
    guard let steps, let distinctRows else { return nil }
    let tokens = Double(steps) * Double(options.batches.batch * options.batches.length)
    // Forward and the gradient of inputs for all weights, the gradient of weights for trained ones.
    let all = Double(promise.parameterCount)
    let own = options.lora == nil ? Double(shapes.reduce(0) { $0 + $1.count }) : 0
    let again =
      switch options.compute.recompute {
      case .none: 1.0
      case .feedForward: 7.0 / 6
      case .blocks: 4.0 / 3
      }
    return tokens * ((4 * all + 2 * own) * again + extraOperations) / 1.2e11
      + Double(distinctRows * options.batches.length) * firstOperations / 1.2e11
      + Double(steps) * extraSeconds
  }
}

extension TrainOptions {
  /// About how many rows an epoch of the data has, from the sizes of its files; nil if there are no
  /// sizes.
  func rowsPerEpoch(_ promise: ModelPromise, _ paths: RecipePaths) -> Int? {
    var bytes = 0
    for input in data {
      guard let source = try? input.source(paths, batches.records),
        let own = source.estimatedByteCount
      else { return nil }
      bytes += own
    }
    // A token of a vocabulary of 49,152 is about four bytes of English.
    let bytesPerToken = max(1, log2(Double(promise.configuration.vocabularySize)) / 3.9)
    let held = validation.data.isEmpty ? validation.fraction : 0
    let tokens = Double(bytes) / bytesPerToken * (1 - held)
    return max(1, Int(tokens / Double(batches.length)))
  }
}
