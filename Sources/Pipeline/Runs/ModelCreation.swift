import Foundation
import Models

/// The work before all other: makes the new model that a recipe describes, in `00-model`.
struct ModelCreation {
  /// What a recipe calls it.
  static let title = "00-model"

  let model: NewModel
  let file: RecipeFile
  let directory: RunDirectory
  let log: RunLog
  /// The place among all pieces of work, and how many there are.
  let position: (index: Int, count: Int)

  /// The folder of the model that is made.
  static func checkpoint(in directory: RunDirectory) -> URL {
    directory.model.appending(path: "checkpoint")
  }

  /// Makes the model, unless an earlier run has.
  ///
  /// The model appears under its final name only when it is complete, with a digest of everything
  /// that decides it.
  ///
  /// - Returns: What it took. The model is at ``checkpoint(in:)``.
  func run() throws -> StageRecord {
    let key = try self.key()
    if let record = StageRecord.read(directory.model), record.key == key {
      guard let name = record.missingFile(in: directory.model) else {
        log.receive(
          .skipped(
            index: position.index,
            count: position.count,
            title: Self.title,
            reason: "done already"
          )
        )
        return record
      }
      log.receive(.note("\(name) of \(Self.title) is missing or cut"))
    } else if FileTree.exists(directory.model) {
      log.receive(.note("replacing \(Self.title): the recipe or its inputs changed"))
    }
    log.receive(.began(index: position.index, count: position.count, title: Self.title))
    do {
      let record = try make(key)
      log.receive(
        .ended(title: Self.title, seconds: record.wallSeconds, result: record.summary)
      )
      return record
    } catch let error as NewModel.Failure {
      let text = error.problems.map(\.message).joined(separator: "; ")
      throw RunError(error.underlying ?? ModelError.impossible(text), during: Self.title)
    } catch {
      throw RunError(error, during: Self.title)
    }
  }

  private func make(_ key: String) throws -> StageRecord {
    let working = directory.workingModel
    try FileTree.remove(working)
    let checkpoint = working.appending(path: "checkpoint")
    try FileTree.create(checkpoint)
    let meter = ResourceMeter()
    let (made, tokenizer) = try model.load(
      file.paths,
      seed: file.recipe.modelSeed,
      origin: Self.checkpoint(in: directory),
      trainsTokenizer: true
    )
    let writer = ModelWriter(made, to: checkpoint)
    for block in made.blocks {
      try writer.writeBlock(block.index)
      log.receive(
        .progress(RunProgress(done: block.index + 1, total: made.blocks.count, unit: "blocks"))
      )
    }
    try writer.finish()
    var record = StageRecord(
      key: key,
      kind: "model.new",
      tool: ToolVersion.current,
      report: StageReport(),
      wallSeconds: meter.seconds
    )
    let unused = made.configuration.vocabularySize - tokenizer.tokenCount
    if case .trained = model.tokenizer, unused > 0 {
      record.report.warnings.append(
        "the text gives \(tokenizer.tokenCount) tokens; \(unused) of the vocabulary stay unused"
      )
    }
    record.peakBytes = meter.peakByteCount
    record.files = try FileTree.sizes(checkpoint)
    record.add(try ModelSize(of: checkpoint, parameterCount: made.parameterCount))
    try FileTree.write(record, to: working.appending(path: "done.json"))
    try FileTree.remove(directory.model)
    try FileManager.default.moveItem(at: working, to: directory.model)
    for warning in record.report.warnings { log.receive(.warning(warning)) }
    return record
  }

  private func key() throws -> String {
    let files = try model.files(file.paths).map {
      "\($0.lastPathComponent) \(try Digest.of(contents: $0))"
    }
    return Digest.of(
      [
        "model", RecipePrinter.inline(model.recipeNode), String(file.recipe.seed),
        ToolVersion.current,
      ] + files
    )
  }

  /// Removes the model that an earlier recipe asked for.
  static func remove(from directory: RunDirectory, log: RunLog) throws {
    // Only what a run has written is ever removed.
    guard StageRecord.read(directory.model) != nil else { return }
    log.receive(.note("removing \(title): the recipe starts from another model"))
    try FileTree.remove(directory.model)
  }
}

extension ModelError {
  fileprivate static func impossible(_ problem: String) -> ModelError {
    ModelError(.invalid, problem, at: "new", remedy: "correct the recipe")
  }
}

extension Recipe {
  /// Where the randomness of a new model starts.
  var modelSeed: UInt64 {
    UInt64(Digest.of([String(seed), "model.new"]).prefix(16), radix: 16) ?? seed
  }
}

extension NewModel {
  /// What making the model takes, from its outline alone.
  func plan(_ promise: ModelPromise) -> StagePlan {
    let family = promise.configuration.architecture.modelType
    let largest = promise.largestSection(\.byteCount)
    var plan = StagePlan(
      matches: [
        StagePlan.Match(
          pattern: "new \(family)",
          count: promise.matrices.count,
          parameterCount: promise.configuration.parameterCount
        )
      ],
      outputByteCount: 4 * promise.configuration.parameterCount,
      bitsPerWeight: 32,
      // One block is held at a time, beside the program and a vocabulary.
      peakByteCount: 64_000_000 + largest,
      seconds: 3e-8 * Double(promise.configuration.parameterCount)
    )
    if case .trained = tokenizer {
      plan.notes.append("the tokenizer is trained first, which is not in the estimate")
    }
    return plan
  }

  /// The model in a few words, for reports.
  static func description(_ configuration: ModelConfiguration) -> String {
    "new \(configuration.architecture.modelType) (\(configuration.layerCount) layers, "
      + "hidden size \(configuration.hiddenSize), vocabulary \(configuration.vocabularySize))"
  }
}
