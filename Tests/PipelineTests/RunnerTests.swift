import Foundation
import Pipeline
import Testing

@Suite("Runs")
struct RunnerTests {
  static let text = """
    model: llama-3
    evaluation: {}
    stages:
      - test.scale: { factor: 2, targets: model.layers.*.mlp.* }
      - test.dump: { path: half.txt }
      - test.scale: { factor: 0.5 }
      - sample.all: {}
      - test.dump: { path: out/full, folder: true }
    gates:
      perplexity_ratio: { at_most: 1.05 }
      kl_mean: { at_most: 0.1, of: half.txt }
    """

  /// Runs a recipe in a folder.
  @discardableResult
  static func run(
    _ text: String = text,
    in folder: URL,
    _ overrides: [String] = [],
    log: EventLog = EventLog()
  ) throws -> RunReport {
    let file = try recipe(text, overrides)
    return try PipelineRunner(
      file,
      in: RunDirectory(folder),
      registry: testRegistry,
      evaluator: FakeEvaluator(),
      listener: log
    ).run()
  }

  /// The bytes of everything that must not depend on how often a run was stopped.
  static func results(_ folder: URL) throws -> [String: Data] {
    var results: [String: Data] = [:]
    let files = FileManager.default.enumerator(atPath: folder.path)
    while let name = files?.nextObject() as? String {
      let isResult = name.contains("checkpoint/") || name == "half.txt" || name.hasPrefix("out/")
      let url = folder.appending(path: name)
      if isResult, !url.hasDirectoryPath, let data = try? Data(contentsOf: url) {
        results[name] = data
      }
    }
    return results
  }

  @Test("write reports, checkpoints and exports, and leave nothing else")
  func complete() throws {
    let folder = try TemporaryFolder()
    let report = try Self.run(in: folder.url)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted()
    #expect(
      names == [
        "00-baseline", "01-test.scale", "02-test.dump", "03-test.scale", "04-sample.all",
        "05-test.dump", "environment.json", "half.txt", "log.txt", "out", "recipe.resolved.yaml",
        "recipe.yaml", "report.json", "run.lock",
      ]
    )
    #expect(
      report.entries.map(\.title) == [
        "baseline", "01-test.scale", "half.txt", "03-test.scale", "04-sample.all", "out/full",
      ]
    )
    #expect(
      report.entries.map(\.input) == [
        nil, "baseline", "01-test.scale", "01-test.scale", "03-test.scale", "03-test.scale",
      ]
    )
    #expect(report.entries[4].numbers["answer"] == 42)
    let curve = try #require(report.entries[4].curve)
    #expect(curve.training.count == 200)
    #expect(curve.training[0] == TrainingCurve.Point(step: 5, loss: 3))
    #expect(curve.validation.map(\.step) == [0, 1000] && curve.validation.map(\.loss) == [3, 1])
    #expect(report.entries[2].warnings == ["text is large", "short text"])
    #expect(report.entries[1].layers.count == 6)
    #expect(report.entries[2].numbers["perplexity_ratio"] == 1.05)
    #expect(report.entries[1].numbers["bits_per_weight"] ?? 0 > 16)
    let data = try Data(contentsOf: folder.url.appending(path: "report.json"))
    #expect(try RunReport(json: data, name: "report.json") == report)
  }

  @Test("apply gates to every export, or to the one they name")
  func gates() throws {
    let folder = try TemporaryFolder()
    let report = try Self.run(in: folder.url)
    #expect(report.gates.map(\.metric) == ["perplexity_ratio", "perplexity_ratio", "kl_mean"])
    #expect(report.gates.map(\.of) == ["half.txt", "out/full", "half.txt"])
    #expect(report.gates.map(\.passed) == [true, true, false])
    #expect(report.gates[2].bound == "at most 0.1")
    #expect(!report.passed)
  }

  @Test("a second run does nothing and says so")
  func skipping() throws {
    let folder = try TemporaryFolder()
    let first = try Self.run(in: folder.url)
    let plan = FaultPlan(failingAt: 0)
    let log = EventLog()
    let second = try FaultPlan.$current.withValue(plan) { try Self.run(in: folder.url, log: log) }
    #expect(plan.steps.isEmpty)
    #expect(log.begun.isEmpty)
    #expect(log.skipped.count == 6)
    #expect(second.entries == first.entries)
  }

  @Test("a changed option runs its stage and all that follow from it again")
  func invalidation() throws {
    let folder = try TemporaryFolder()
    try Self.run(in: folder.url)
    var log = EventLog()
    try Self.run(in: folder.url, ["stages.2.factor=4"], log: log)
    #expect(log.begun == ["03-test.scale", "04-sample.all", "05-test.dump"])
    #expect(log.notes.contains("replacing 03-test.scale: the recipe or its inputs changed"))
    // An option of an export concerns nothing else.
    log = EventLog()
    try Self.run(
      in: folder.url,
      ["stages.2.factor=4", "stages.1.path=other.txt", "gates.kl_mean.of=other.txt"],
      log: log
    )
    #expect(log.begun == ["02-test.dump"])
    // And one of the evaluation only what is measured.
    log = EventLog()
    try Self.run(
      in: folder.url,
      [
        "stages.2.factor=4", "stages.1.path=other.txt", "gates.kl_mean.of=other.txt",
        "evaluation.tokens=600",
      ],
      log: log
    )
    #expect(log.begun == ["baseline"])
    #expect(log.measured.count == 4)
  }

  @Test("measure after stages or after exports only, whichever was measured already")
  func measuredResults() throws {
    let folder = try TemporaryFolder()
    var log = EventLog()
    let report = try Self.run(in: folder.url, ["evaluation.after=exports"], log: log)
    #expect(log.measured == ["half.txt", "out/full"])
    #expect(report.entries.map { $0.numbers["kl_mean"] } == [0, nil, 0.25, nil, nil, 0.25])
    log = EventLog()
    try Self.run(in: folder.url, log: log)
    #expect(log.begun.isEmpty)
    #expect(log.measured == ["01-test.scale", "03-test.scale"])
    #expect(
      try problems(Self.text, ["evaluation.after=exports", "gates.kl_mean.of=03-test.scale"])
        .contains("`kl_mean` is measured there only with `evaluation: { after: stages }`")
    )
    // Without exports gates are for the last model.
    log = EventLog()
    let text = """
      model: llama-3
      evaluation: { after: exports }
      stages: [ test.scale, test.scale, sample.all ]
      gates: { kl_mean: { at_most: 1 } }
      """
    #expect(try Self.run(text, in: folder.url, log: log).passed)
    #expect(log.measured == ["02-test.scale"])
  }

  @Test("warn of a text that the model is fitted to and measured on, whenever the stage was run")
  func overlap() throws {
    let folder = try TemporaryFolder()
    let text = "model: llama-3\nevaluation: {}\nstages:\n  - sample.all: { text: %@ }\n"
    let calibration = text.replacing("%@", with: "builtin:calibration")
    #expect(try Self.run(calibration, in: folder.url).entries[1].warnings.isEmpty)
    let file = try recipe(text.replacing("%@", with: "builtin:evaluation"))
    let note = try #require(try file.plan(evaluator: FakeEvaluator()).rows[0].plan.notes.first)
    #expect(
      note.hasPrefix(
        "`text` contains 100 % of the text that `evaluation` measures on, such as “"
      )
    )
    let same = text.replacing("%@", with: "builtin:evaluation")
    #expect(try Self.run(same, in: folder.url).entries[1].warnings == [note])
    let log = EventLog()
    let other = ["evaluation.perplexity=builtin:calibration"]
    #expect(try Self.run(same, in: folder.url, other, log: log).entries[1].warnings.isEmpty)
    #expect(log.begun == ["baseline"])
  }

  @Test("an export that was deleted or changed is written again")
  func damagedExport() throws {
    let folder = try TemporaryFolder()
    try Self.run(in: folder.url)
    let whole = try Self.results(folder.url)
    try Data("x".utf8).write(to: folder.url.appending(path: "half.txt"))
    try FileManager.default.removeItem(at: folder.url.appending(path: "out"))
    let shard = "03-test.scale/checkpoint/model-00001-of-00003.safetensors"
    try Data().write(to: folder.url.appending(path: shard))
    let log = EventLog()
    try Self.run(in: folder.url, log: log)
    #expect(log.begun == ["02-test.dump", "03-test.scale", "05-test.dump"])
    #expect(try Self.results(folder.url) == whole)
  }

  @Test("a changed input file runs the stage that names it again")
  func changedInput() throws {
    let folder = try TemporaryFolder()
    let note = folder.url.appending(path: "note.txt")
    try Data("1".utf8).write(to: note)
    let run = folder.url.appending(path: "run")
    let text =
      "model: llama-3\nstages:\n  - test.scale\n  - test.scale: { note: \(note.path) }\n"
    try Self.run(text, in: run)
    try Data("2".utf8).write(to: note)
    let log = EventLog()
    try Self.run(text, in: run, log: log)
    #expect(log.begun == ["02-test.scale"])
  }

  @Test("a changed model that an option names runs the stage again")
  func changedReference() throws {
    let folder = try TemporaryFolder()
    let reference = folder.url.appending(path: "reference")
    try FileManager.default.copyItem(at: tinyModel, to: reference)
    let run = folder.url.appending(path: "run")
    let text =
      "model: llama-3\nstages:\n  - test.scale\n  - test.scale: { reference: \(reference.path) }\n"
    try Self.run(text, in: run)
    try Data("{}".utf8).write(to: reference.appending(path: "generation_config.json"))
    let log = EventLog()
    try Self.run(text, in: run, log: log)
    #expect(log.begun == ["02-test.scale"])
  }

  @Test("sizes count the files that hold the model's tensors, measured or not")
  func sizes() throws {
    let folder = try TemporaryFolder()
    let model = folder.url.appending(path: "model")
    try FileManager.default.copyItem(at: tinyModel, to: model)
    let weights = try FileManager.default.contentsOfDirectory(atPath: model.path)
      .filter { $0.hasPrefix("model") && $0.hasSuffix(".safetensors") }
    let byteCount = try weights.reduce(0) { sum, name in
      sum + (try Data(contentsOf: model.appending(path: name)).count)
    }
    try Data(count: 1 << 20).write(to: model.appending(path: "consolidated.safetensors"))
    let stages = "stages:\n  - test.scale: { factor: 2 }\n  - test.dump: { path: a.txt }\n"
    let plain = try Self.run(
      "model: \(model.path)\n" + stages,
      in: folder.url.appending(path: "plain")
    )
    let measured = try Self.run(
      "model: \(model.path)\nevaluation: {}\n" + stages,
      in: folder.url.appending(path: "measured")
    )
    #expect(plain.entries[0].numbers["size_bytes"] == Double(byteCount))
    for (entry, other) in zip(plain.entries, measured.entries) {
      let size = try #require(entry.numbers["size_bytes"])
      let bits = 8 * size / Double(plain.model.parameters)
      #expect(entry.numbers["bits_per_weight"] == bits, "\(entry.title)")
      #expect(other.numbers["size_bytes"] == size && other.numbers["bits_per_weight"] == bits)
    }
  }

  @Test("folders of stages that a recipe no longer has are removed")
  func removedStages() throws {
    let folder = try TemporaryFolder()
    try Self.run(in: folder.url)
    let log = EventLog()
    try Self.run("model: llama-3\nstages:\n  - sample.all\n", in: folder.url, log: log)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(names.filter { $0.hasPrefix("0") }.sorted() == ["00-baseline", "01-sample.all"])
    #expect(log.notes.contains("removing 05-test.dump: the recipe has no such stage"))
  }

  @Test("the same seed gives a stage the same numbers, another seed others")
  func seeds() throws {
    let folder = try TemporaryFolder()
    let text = "model: llama-3\nstages:\n  - test.scale\n  - test.scale\n"
    let seeds = try ["a", "b", "c"].map { name in
      try Self.run(text, in: folder.url.appending(path: name), name == "c" ? ["seed=1"] : [])
        .entries.compactMap { $0.numbers["seed"] }
    }
    #expect(seeds[0] == seeds[1])
    #expect(seeds[0][0] != seeds[0][1])
    #expect(seeds[0] != seeds[2])
  }

  @Test("restore the baseline for another result, without running the first again")
  func restoring() throws {
    let folder = try TemporaryFolder()
    let second = """
      model: llama-3
      stages:
        - test.scale: { factor: 4 }
        - test.dump: { path: a.txt }
        - restore.baseline
        - test.scale: { factor: 4 }
        - test.dump: { path: b.txt }
      gates:
        bits_per_weight: [{ at_least: 1, of: b.txt }, { at_most: 1, of: 05-test.dump }]
      """
    let report = try Self.run(second, in: folder.url)
    let texts = try ["a.txt", "b.txt"].map { try Data(contentsOf: folder.url.appending(path: $0)) }
    #expect(texts[0] == texts[1])
    #expect(report.entries[1].numbers["seed"] == report.entries[3].numbers["seed"])
    #expect(report.gates.map(\.of) == ["b.txt", "b.txt"])
    let log = EventLog()
    try Self.run(second, in: folder.url, ["stages.0.factor=2"], log: log)
    #expect(log.begun == ["01-test.scale", "02-test.dump"])
  }

  @Test("stopped anywhere, go on and end with the same bytes")
  func faults() throws {
    let whole = try TemporaryFolder()
    let plan = FaultPlan(failingAt: .max)
    try FaultPlan.$current.withValue(plan) { _ = try Self.run(in: whole.url) }
    let expected = try Self.results(whole.url)
    #expect(plan.steps.count > 30)
    for step in plan.steps.indices {
      let folder = try TemporaryFolder()
      let stopped = FaultPlan(failingAt: step)
      #expect(throws: RunError.self, "step \(step)") {
        try FaultPlan.$current.withValue(stopped) { _ = try Self.run(in: folder.url) }
      }
      let resumed = FaultPlan(failingAt: .max)
      try FaultPlan.$current.withValue(resumed) { _ = try Self.run(in: folder.url) }
      #expect(try Self.results(folder.url) == expected, "stopped at \(stopped.steps.last ?? "")")
      // What was measured before is not measured again.
      let measured = (stopped.steps.dropLast() + resumed.steps).filter { $0.hasPrefix("measure") }
      #expect(measured.count == 4, "stopped at \(stopped.steps.last ?? "")")
      #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/05-test.dump.partial"))
    }
  }

  @Test("two at once: the second says who is first")
  func locking() throws {
    let folder = try TemporaryFolder()
    try Self.run(in: folder.url)
    let file = try FileHandle(forUpdating: folder.url.appending(path: "run.lock"))
    defer { try? file.close() }
    #expect(flock(file.fileDescriptor, LOCK_EX | LOCK_NB) == 0)
    let error = #expect(throws: RunError.self) { try Self.run(in: folder.url) }
    #expect(error?.code == .locked)
    let own = ProcessInfo.processInfo.processIdentifier
    #expect(error?.description.contains("another run uses this directory: process \(own)") ?? false)
  }

  @Test("a folder of somebody's files is left alone")
  func foreignFolder() throws {
    let folder = try TemporaryFolder()
    try Data("mine".utf8).write(to: folder.url.appending(path: "notes.txt"))
    let error = #expect(throws: RunError.self) { try Self.run(in: folder.url) }
    #expect(error?.description.contains("notes.txt") ?? false)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(names == ["notes.txt"])
  }

  @Test("a full disk is named as such")
  func diskFull() throws {
    let folder = try TemporaryFolder()
    struct Full: ModelEvaluator {
      func measureBaseline(_ model: URL, _ context: EvaluationContext) throws -> ModelMeasurement {
        throw POSIXError(.ENOSPC)
      }
      func measure(_ model: URL, _ context: EvaluationContext) throws -> ModelMeasurement {
        ModelMeasurement()
      }
    }
    let runner = PipelineRunner(
      try recipe(Self.text),
      in: RunDirectory(folder.url),
      registry: testRegistry,
      evaluator: Full()
    )
    let error = #expect(throws: RunError.self) { try runner.run() }
    #expect(error?.code == .diskFull)
    #expect(
      error?.description == """
        measuring baseline: the disk is full
          to do: free some space and run again; finished stages are kept
        """
    )
  }

  @Test("an error of a stage says which stage it was")
  func failure() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: RunError.self) {
      try FaultPlan.$current.withValue(FaultPlan(failingAt: 3)) {
        _ = try Self.run(in: folder.url)
      }
    }
    #expect(
      error?.description == """
        01-test.scale: stopped at model.layers.0.mlp.up_proj of 2.0
          to do: run again; finished stages are kept
        """
    )
  }
}
