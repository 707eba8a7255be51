internal import Checkpoints
internal import Datasets
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor
internal import Train
internal import TrainStages

/// Rows of text on their way through two models, block by block.
struct BlockStreams {
  /// The rows, in batches that are taken as they are.
  let batches: [TokenBatch]
  /// The residual streams before the student's next block, one for each batch, `[B, T, D]`.
  var student: [Tensor]
  /// Those of the teacher, before the first layer that the next block stands for.
  var teacher: [Tensor]

  init(
    _ batches: [TokenBatch],
    student: LanguageModel,
    teacher: TeacherModel
  ) throws(DistillError) {
    self.batches = batches
    self.student = batches.map { student.embedded($0.tokens, rows: $0.rows) }
    var streams: [Tensor] = []
    for batch in batches {
      let inputs = try teacher.vocabulary.teacherInputs(batch)
      streams.append(teacher.model.embedded(inputs, rows: batch.rows))
    }
    self.teacher = streams
  }
}

/// Trains the blocks of a student one after another.
struct BlockTraining {
  let student: LanguageModel
  let vocabulary: VocabularyAlignment
  let teacher: LanguageModel
  let options: DistillBlocksOptions
  let context: StageContext
  /// What else a saved state depends on.
  let fingerprint: String
  /// The teacher's last layer that each block stands for.
  let lastLayers: [Int]

  private var batchSettings: BatchSettings { options.training.batches }

  init(
    _ student: LanguageModel,
    _ teacher: TeacherModel,
    _ options: DistillBlocksOptions,
    _ context: StageContext,
    fingerprint: String
  ) {
    (self.student, self.teacher) = (student, teacher.model)
    vocabulary = teacher.vocabulary
    (self.options, self.context, self.fingerprint) = (options, context, fingerprint)
    lastLayers = options.layers.pairs(
      student: student.configuration.layerCount,
      teacher: teacher.model.configuration.layerCount
    ).map(\.teacher)
  }

  private func starts(_ batch: TokenBatch) -> [Int32]? {
    batchSettings.separatesDocuments ? batch.documentStarts : nil
  }

  /// Trains every block that has selected parts.
  func run(_ training: [TokenBatch], _ held: [TokenBatch]) throws -> StageReport {
    var report = StageReport()
    let teacher = TeacherModel(model: teacher, vocabulary: vocabulary)
    var streams = try BlockStreams(training, student: student, teacher: teacher)
    var heldStreams = try BlockStreams(held, student: student, teacher: teacher)
    for index in student.blocks.indices {
      let before = (streams, heldStreams)
      advanceTeacher(&streams, index)
      advanceTeacher(&heldStreams, index)
      let layer = try train(index, (before.0, streams.teacher), (before.1, heldStreams.teacher))
      if let layer { report.layers.append(layer) }
      advanceStudent(&streams, index)
      advanceStudent(&heldStreams, index)
      student.blocks[index].release()
      try context.finishBlock(index, of: student.blocks.count)
    }
    TensorMemory.trim()
    try writeMetrics()
    summarize(&report)
    return report
  }

  /// Moves the teacher's streams through the layers that a block stands for.
  private func advanceTeacher(_ streams: inout BlockStreams, _ index: Int) {
    let first = index == 0 ? 0 : lastLayers[index - 1] + 1
    let last = lastLayers[index]
    guard first <= last else { return }
    for layer in first...last {
      for place in streams.batches.indices {
        streams.teacher[place] = teacher.stream(
          streams.teacher[place],
          afterBlock: layer,
          documentStarts: starts(streams.batches[place])
        )
      }
      teacher.blocks[layer].release()
    }
  }

  private func advanceStudent(_ streams: inout BlockStreams, _ index: Int) {
    // Inputs of the teacher's need no stream of the student's.
    guard options.inputs == .student else { return }
    for place in streams.batches.indices {
      streams.student[place] = student.stream(
        streams.student[place],
        afterBlock: index,
        documentStarts: starts(streams.batches[place])
      )
    }
  }

  // MARK: - One block

  /// Trains a block on what comes before it and what is to come after it.
  private func train(
    _ index: Int,
    _ training: (before: BlockStreams, after: [Tensor]),
    _ held: (before: BlockStreams, after: [Tensor])
  ) throws -> StageReport.Layer? {
    let name = "model.layers.\(index)"
    let precision = options.training.compute.compute.precision
    let parameters = student.makeTrainable(precision: precision) {
      $0.hasPrefix(name + ".") && options.training.parts.selects($0)
    }
    guard !parameters.isEmpty else { return nil }
    let folder = context.stateFolder.appending(path: "block-\(index)")
    let finished = FinishedBlock(folder: folder, fingerprint: fingerprint)
    var values: [String: Double]
    if let found = try finished.read(into: parameters) {
      values = found
    } else {
      let result = try loop(index, parameters, training, held).run(
        folder: folder.appending(path: "training"),
        fingerprint: ["blocks": fingerprint]
      )
      values = ["training_loss": result.lastLoss, "steps": Double(result.steps)]
      if let first = result.validations.first { values["state_distance_before"] = first.loss }
      if let last = result.restored ?? result.validations.last {
        values["state_distance"] = last.loss
        values["validation_step"] = Double(last.step)
      }
      try finished.write(parameters, values)
    }
    student.freeze(as: options.training.type.dtype)
    let isKept = values["validation_step"] == 0
    return StageReport.Layer(
      name,
      values,
      note: isKept ? "training never improved on the start, which is kept" : nil
    )
  }

  private func loop(
    _ index: Int,
    _ parameters: [Parameter],
    _ training: (before: BlockStreams, after: [Tensor]),
    _ held: (before: BlockStreams, after: [Tensor])
  ) -> TrainingLoop<Int> {
    let parts = batchSettings.accumulation
    let steps = self.steps(training.before.batches.count)
    func loss(_ place: Int, _ streams: (before: BlockStreams, after: [Tensor])) -> Tensor {
      let (before, batch) = (streams.before, streams.before.batches[place])
      let input = options.inputs == .teacher ? before.teacher[place] : before.student[place]
      let output = student.stream(input, afterBlock: index, documentStarts: starts(batch))
      return options.stateLoss.mean(output, streams.after[place], targets: batch.targets)
    }
    var settings = options.training.loopOptions(steps: steps)
    if held.before.batches.isEmpty { settings.patience = nil }
    var loop = TrainingLoop(
      parameters: parameters,
      optimizer: options.training.rule.makeOptimizer,
      options: settings,
      batch: { step, part in
        place((step - 1) * parts + part, of: training.before.batches.count, block: index)
      },
      tokenCount: { training.before.batches[$0].countedTargets },
      loss: { loss($0, training) },
      validationLoss: held.before.batches.isEmpty
        ? nil
        : {
          var (sum, count) = (0.0, 0)
          for (place, batch) in held.before.batches.enumerated() {
            sum += loss(place, held).scalar * Double(batch.countedTargets)
            count += batch.countedTargets
          }
          return sum / Double(count)
        },
      onProgress: { progress in
        context.progress(
          progress.step,
          of: progress.steps,
          unit: "steps",
          "block \(index): loss \(String(format: "%.3g", progress.smoothedLoss))"
        )
      }
    )
    loop.heldZeros = options.training.heldZeros(student, steps: steps)
    return loop
  }

  private func steps(_ batches: Int) -> Int {
    if let steps = options.training.steps { return steps }
    let passes = options.training.epochs * Double(batches) / Double(batchSettings.accumulation)
    return max(1, Int(passes.rounded(.up)))
  }

  /// The batch at a place of a block's training: all in each epoch, in an order of their own.
  private func place(_ number: Int, of count: Int, block: Int) -> Int {
    guard batchSettings.shuffles else { return number % count }
    let epoch = UInt64(number / count)
    var random = Random(
      seed: context.seed &+ (UInt64(block) << 32 | epoch) &* 0x9E37_79B9_7F4A_7C15
    )
    return random.shuffled(Array(0..<count))[number % count]
  }

  // MARK: - Report

  /// Writes the losses of all blocks to one file, the steps of each after those of the one before.
  private func writeMetrics() throws {
    var text = ""
    var before = 0
    for index in student.blocks.indices {
      let file = context.stateFolder.appending(path: "block-\(index)/metrics.jsonl")
      // A block without selected parts was not trained.
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      var last = 0
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        let rest = line.dropFirst("{\"step\":".count)
        let digits = rest.prefix { $0.isNumber }
        guard let step = Int(digits) else { continue }
        last = max(last, step)
        text += "{\"step\":\(before + step),\"block\":\(index)\(rest.dropFirst(digits.count))\n"
      }
      before += last
    }
    try Data(text.utf8).write(
      to: context.folder.appending(path: "metrics.jsonl"),
      options: .atomic
    )
  }

  private func summarize(_ report: inout StageReport) {
    report.metrics["trained_blocks"] = Double(report.layers.count)
    for name in ["state_distance_before", "state_distance", "training_loss"] {
      let values = report.layers.compactMap { $0.values[name] }
      guard !values.isEmpty else { continue }
      report.metrics["mean_\(name)"] = values.reduce(0, +) / Double(values.count)
    }
    let kept = report.layers.count { $0.values["validation_step"] == 0 }
    if kept > 0 {
      report.warnings.append(
        "training never improved on the start of \(kept) blocks, which are kept unchanged"
      )
    }
  }
}

/// The trained parameters of a block, so that an interrupted run does not train it again.
private struct FinishedBlock {
  let folder: URL
  let fingerprint: String

  private var file: URL { folder.appending(path: "block.safetensors") }
  private var description: URL { folder.appending(path: "block.json") }

  private struct Description: Codable {
    var fingerprint: String
    var values: [String: Double]
  }

  /// Sets the parameters to what was written, if something was.
  ///
  /// - Returns: The numbers of the report; nil if the block is not finished.
  func read(into parameters: [Parameter]) throws -> [String: Double]? {
    guard let data = try? Data(contentsOf: description) else { return nil }
    let found = try JSONDecoder().decode(Description.self, from: data)
    guard found.fingerprint == fingerprint else { return nil }
    let tensors = try SafetensorsFile(path: file.path)
    for parameter in parameters { parameter.value = try tensors.tensor(parameter.name).copied() }
    return found.values
  }

  /// Writes the parameters, then what says that they are complete, and removes the training's state
  /// but for its losses.
  func write(_ parameters: [Parameter], _ values: [String: Double]) throws {
    var writer = try SafetensorsWriter(
      path: file.path,
      tensors: parameters.map { TensorDeclaration($0.name, dtype: $0.dtype, shape: $0.shape) }
    )
    for parameter in parameters { try writer.append(parameter.value, to: parameter.name) }
    try writer.finish()
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let (training, metrics) = (folder.appending(path: "training"), "metrics.jsonl")
    let losses = try Data(contentsOf: training.appending(path: metrics))
    try losses.write(to: folder.appending(path: metrics), options: .atomic)
    let data = try encoder.encode(Description(fingerprint: fingerprint, values: values))
    try data.write(to: description, options: .atomic)
    try FileManager.default.removeItem(at: training)
  }
}
