import Foundation
import Models

/// One run of a recipe, from the baseline to the report.
struct RunSession {
  let runner: PipelineRunner
  let log: RunLog
  var file: RecipeFile { runner.file }
  var recipe: Recipe { runner.file.recipe }
  var directory: RunDirectory { runner.directory }

  /// The checkpoint that the next stage reads.
  var modelFolder: URL
  /// The digest of everything that decided that checkpoint.
  var modelKey: String
  /// The model that the recipe began with, and its digest.
  private(set) var original: (folder: URL, key: String)
  private var entries: [RunReport.Entry] = []
  /// The title of the entry that ``modelFolder`` is of.
  private var modelTitle = baselineTitle
  private static let baselineTitle = "baseline"

  init(runner: PipelineRunner, log: RunLog) {
    self.runner = runner
    self.log = log
    modelFolder = runner.directory.url
    modelKey = ""
    original = (modelFolder, modelKey)
  }

  mutating func run() throws -> RunReport {
    let model = try openBaseline()
    warnOfOverlaps()
    for index in recipe.stages.indices { try runStage(index) }
    removeStale()
    return report(model)
  }

  // MARK: - Baseline

  private mutating func openBaseline() throws -> RunReport.ModelDescription {
    let model: LanguageModel
    let source: String
    var creation: StageRecord?
    switch recipe.model {
    case .existing(let path):
      model = try path.load(file.paths)
      // A new model that an earlier recipe made may be the one that this recipe starts from.
      if !model.companions.origin.path.hasPrefix(directory.url.path) {
        try ModelCreation.remove(from: directory, log: log)
      }
      source = path.text
    case .new(let new):
      creation = try ModelCreation(
        model: new,
        file: file,
        directory: directory,
        log: log,
        position: (0, workCount)
      ).run()
      model = try ModelLoader.load(ModelCreation.checkpoint(in: directory))
      source = NewModel.description(model.configuration)
    }
    modelFolder = model.companions.origin
    modelKey = Digest.of(["model", try Digest.of(model: modelFolder)])
    original = (modelFolder, modelKey)
    let size = try ModelSize(of: modelFolder, parameterCount: model.parameterCount)
    var entry = RunReport.Entry(
      subject: .baseline,
      title: Self.baselineTitle,
      path: creation == nil ? source : ModelCreation.title,
      numbers: [
        "size_bytes": Double(size.byteCount), "bits_per_weight": size.bitsPerWeight,
      ],
      warnings: creation?.report.warnings ?? []
    )
    entry.numbers["wall_seconds"] = creation?.wallSeconds
    try measure(&entry, modelFolder, in: directory.baseline, key: modelKey, position: creationCount)
    entries.append(entry)
    return RunReport.ModelDescription(
      source: source,
      parameters: model.parameterCount,
      layers: model.configuration.layerCount
    )
  }

  // MARK: - Stages

  private mutating func runStage(_ index: Int) throws {
    let stage = recipe.stages[index]
    if stage.effect == .restoresBaseline {
      try removeOthers(at: index, keeping: "")
      (modelFolder, modelKey) = original
      modelTitle = Self.baselineTitle
      return
    }
    let title = Recipe.folderName(index, stage.kind)
    let folder = directory.folder(index, stage.kind)
    let key = self.key(index)
    let work = StageWork(session: self, index: index, key: key)
    let record: StageRecord
    if let finished = work.finishedRecord() {
      record = finished
      log.receive(
        .skipped(index: position(index), count: workCount, title: title, reason: "done already")
      )
    } else {
      try removeOthers(at: index, keeping: title)
      log.receive(.began(index: position(index), count: workCount, title: title))
      do {
        record = try work.run()
      } catch {
        throw RunError(error, during: title)
      }
      log.receive(.ended(title: title, seconds: record.wallSeconds, result: record.summary))
    }
    var entry = record.entry(title: title, stage: stage, folder: title)
    entry.input = modelTitle
    entry.curve = try TrainingCurve(contentsOf: folder.appending(path: "metrics.jsonl"))
    entry.warnings += overlaps[index] ?? []
    if stage.effect == .changesModel {
      modelFolder = folder.appending(path: "checkpoint")
      modelKey = key
      modelTitle = title
    }
    if recipe.measures(index) {
      let subject = record.export.map { directory.url.appending(path: $0.path) } ?? modelFolder
      try measure(&entry, subject, in: folder, key: key, position: position(index))
    }
    entries.append(entry)
  }

  /// The digest of everything that decides what a stage leaves behind.
  private func key(_ index: Int) -> String {
    let stage = recipe.stages[index]
    let inputs =
      (file.inputs(under: "stages.\(index)") + stage.stage.otherInputs(file.paths))
      .map(Digest.of(input:))
    return Digest.of(
      [
        "stage", stage.kind, RecipePrinter.inline(stage.options), String(seed(index)), modelKey,
        ToolVersion.current,
      ] + inputs
    )
  }

  /// The seed of a stage.
  ///
  /// Only stages that change the model since it was last the original count, so that one can add
  /// an export, or another result, without running what follows again.
  func seed(_ index: Int) -> UInt64 {
    let since = recipe.stages[..<index].reversed().prefix { $0.effect != .restoresBaseline }
    let before = since.filter { $0.effect == .changesModel }.count
    let digest = Digest.of([String(recipe.seed), recipe.stages[index].kind, String(before)])
    return UInt64(digest.prefix(16), radix: 16) ?? recipe.seed
  }

  /// The place of a stage among all pieces of work: a new model is the first, then comes the
  /// baseline, if it is measured.
  private func position(_ index: Int) -> Int {
    pieces(recipe.stages[..<index]) + (isMeasuring ? 1 : 0) + creationCount
  }
  private var workCount: Int { position(recipe.stages.count) }
  private var creationCount: Int { recipe.model.new == nil ? 0 : 1 }
  private func pieces(_ stages: ArraySlice<RecipeStage>) -> Int {
    stages.filter { $0.effect != .restoresBaseline }.count
  }
  private var isMeasuring: Bool { runner.evaluator != nil && recipe.evaluation != nil }

  /// Removes what an earlier recipe left in a stage's place.
  private func removeOthers(at index: Int, keeping title: String) throws {
    let kept: Set = [title + ".partial"]
    for folder in directory.staleFolders({ $0 == index }, except: kept) {
      log.receive(.note("replacing \(folder.lastPathComponent): the recipe or its inputs changed"))
      try FileTree.remove(folder)
    }
  }

  private func removeStale() {
    for folder in directory.staleFolders({ $0 >= recipe.stages.count }, except: []) {
      log.receive(.note("removing \(folder.lastPathComponent): the recipe has no such stage"))
      try? FileTree.remove(folder)
    }
  }

  // MARK: - Measurements

  /// Adds the numbers of a model or exported file to its entry, measuring it unless that is done.
  private mutating func measure(
    _ entry: inout RunReport.Entry,
    _ subject: URL,
    in folder: URL,
    key subjectKey: String,
    position: Int
  ) throws {
    guard let evaluator = runner.evaluator, let settings = recipe.evaluation else { return }
    let isBaseline = entry.subject == .baseline
    let store = folder.appending(path: "measurement.json")
    let key = Digest.of(
      [
        "measurement", subjectKey, entries.first.map { _ in baselineKey } ?? "",
        RecipePrinter.inline(settings.withoutChoice.recipeNode), String(recipe.seed),
        ToolVersion.current,
      ] + file.inputs(under: "evaluation").map(Digest.of(input:))
    )
    if isBaseline { baselineKey = key }
    var record = FileTree.read(MeasurementRecord.self, from: store)
    if record?.key != key {
      if isBaseline {
        // Outputs kept of another model or text must not be compared with.
        try FileTree.remove(folder)
        log.receive(.began(index: position, count: workCount, title: "baseline"))
      } else {
        log.receive(.measuring(title: entry.title))
      }
      let reference = directory.baseline.appending(path: "reference")
      try FileTree.create(reference)
      let context = EvaluationContext(
        settings: settings,
        paths: file.paths,
        baseline: original.folder,
        referenceFolder: reference,
        seed: recipe.seed,
        listener: log
      )
      let meter = ResourceMeter()
      let measurement: ModelMeasurement
      do {
        measurement =
          try isBaseline
          ? evaluator.measureBaseline(subject, context) : evaluator.measure(subject, context)
      } catch {
        throw RunError(error, during: "measuring \(entry.title)")
      }
      let new = MeasurementRecord(
        key: key,
        measurement: measurement,
        wallSeconds: meter.seconds,
        peakBytes: meter.peakByteCount
      )
      try FileTree.write(new, to: store)
      record = new
      log.receive(
        .ended(
          title: isBaseline ? "baseline" : "measuring \(entry.title)",
          seconds: new.wallSeconds,
          result: new.measurement.summary(runner.registry)
        )
      )
    } else if isBaseline {
      log.receive(
        .skipped(index: position, count: workCount, title: "baseline", reason: "done already")
      )
    }
    if let record { entry.add(record) }
  }

  private var baselineKey = ""

  /// Finds texts that the model is fitted to and measured on.
  ///
  /// This belongs to the run and not to a stage's record, as another evaluation leaves the stage
  /// as it is.
  private mutating func warnOfOverlaps() {
    guard runner.evaluator != nil else { return }
    overlaps = file.overlaps().mapValues { $0.map(\.message) }
    for index in overlaps.keys.sorted() {
      let title = Recipe.folderName(index, recipe.stages[index].kind)
      for warning in overlaps[index] ?? [] { log.receive(.warning("\(title): \(warning)")) }
    }
  }

  private var overlaps: [Int: [String]] = [:]

  // MARK: - Report

  private func report(_ model: RunReport.ModelDescription) -> RunReport {
    var entries = entries
    for index in entries.indices { entries[index].addRatios(to: entries[0]) }
    return RunReport(
      name: recipe.name,
      date: Date().formatted(.iso8601),
      environment: .current,
      model: model,
      recipe: file.text,
      resolvedRecipe: recipe.resolvedText,
      totalSeconds: entries.reduce(0) {
        $0 + ($1.numbers["wall_seconds"] ?? 0) + ($1.evaluationSeconds ?? 0)
      },
      metrics: runner.registry.metrics.map(RunReport.MetricDescription.init),
      entries: entries,
      gates: recipe.outcomes(entries)
    )
  }
}
