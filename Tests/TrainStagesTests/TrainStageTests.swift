import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing
import TrainStages

@Suite("train")
struct TrainStageTests {
  /// A model, a text of its own, and the recipe's folder.
  private static func prepare(_ text: String = Self.text) throws -> TinyModel {
    let tiny = try TinyModel()
    try Data(text.utf8).write(to: tiny.result("data.txt"))
    return tiny
  }

  private static let text = String(
    repeating: "the cat sat on the mat and the rat ran over there; then the cat ran there too. ",
    count: 30
  )

  private static func options(_ change: (inout TrainOptions) -> Void = { _ in }) -> TrainOptions {
    var options = TrainOptions()
    options.data = [DataInput("data.txt")]
    options.steps = 12
    options.batches.batch = 4
    options.batches.length = 32
    options.rule.learningRate = 3e-3
    change(&options)
    return options
  }

  private static func run(
    _ options: TrainOptions,
    in tiny: TinyModel,
    folder name: String = "run"
  ) throws -> (model: LanguageModel, report: StageReport, folder: URL) {
    let folder = tiny.result(name)
    let state = folder.appending(path: "state")
    try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
    let context = StageContext(
      modelFolder: tiny.url,
      seed: 5,
      folder: folder,
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: tiny.url)
    )
    let model = try tiny.load()
    let report = try TrainStage(options).run(model, context)
    return (model, report, folder)
  }

  @Test("lowers the loss on what it trains on, and reports it")
  func training() throws {
    let tiny = try Self.prepare()
    let (model, report, folder) = try Self.run(
      Self.options { $0.validation.fraction = 0.2 },
      in: tiny
    )
    let before = try #require(report.metrics["validation_loss_before"])
    let after = try #require(report.metrics["validation_loss"])
    #expect(after < before - 0.5)
    #expect(report.metrics["steps"] == 12)
    #expect(model.linears.allSatisfy { $0.format == .elements(.float32) })
    let metrics = try String(contentsOf: folder.appending(path: "metrics.jsonl"), encoding: .utf8)
    #expect(metrics.split(separator: "\n").count == 13)
  }

  @Test("gives the same weights again, and others with another seed of the data's order")
  func deterministic() throws {
    let tiny = try Self.prepare()
    func weights(_ name: String, _ options: TrainOptions) throws -> [Float] {
      try Self.run(options, in: tiny, folder: name).model.linears[0].weight.dense.elements(
        as: Float.self
      )
    }
    let first = try weights("a", Self.options())
    #expect(try weights("b", Self.options()) == first)
    #expect(try weights("c", Self.options { $0.batches.shuffles = false }) != first)
  }

  @Test("trains only what is selected")
  func selection() throws {
    let tiny = try Self.prepare()
    let options = Self.options { $0.parts.targets = [NamePattern("model.layers.1.*")] }
    let model = try Self.run(options, in: tiny).model
    let original = try tiny.load()
    for (new, old) in zip(model.matrices, original.matrices) {
      let isEqual =
        new.weight.dense.elements(as: Float.self) == old.weight.dense.elements(as: Float.self)
      #expect(isEqual == !new.name.hasPrefix("model.layers.1."), "\(new.name)")
    }
  }

  @Test("adapters are saved, merged and leave everything else alone")
  func adapters() throws {
    let tiny = try Self.prepare()
    let options = Self.options {
      $0.lora = AdapterOptions()
      $0.lora?.rank = 4
      $0.parts.targets = [NamePattern("*.{q,v}_proj")]
      $0.rule.learningRate = 1e-2
      $0.validation.fraction = 0.2
    }
    let (model, report, folder) = try Self.run(options, in: tiny)
    #expect(report.metrics["trained_parameters"] == Double(4 * (2 * (64 + 64) + 2 * (64 + 32))))
    let before = try #require(report.metrics["validation_loss_before"])
    #expect(try #require(report.metrics["validation_loss"]) < before)
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
      let path = folder.appending(path: "adapter").appending(path: name).path
      #expect(FileManager.default.fileExists(atPath: path))
    }
    let original = try tiny.load()
    for (new, old) in zip(model.matrices, original.matrices) {
      let isEqual =
        new.weight.dense.elements(as: Float.self) == old.weight.dense.elements(as: Float.self)
      #expect(isEqual == !(new.name.hasSuffix("q_proj") || new.name.hasSuffix("v_proj")))
    }
  }

  @Test("a training that makes things worse changes nothing, and says so")
  func worse() throws {
    let tiny = try Self.prepare()
    let options = Self.options {
      $0.rule.learningRate = 3
      $0.rule.schedule = .constant
      $0.validation.fraction = 0.2
    }
    let (model, report, _) = try Self.run(options, in: tiny)
    #expect(report.warnings.contains { $0.contains("never improved") })
    let original = try tiny.load()
    #expect(
      model.linears[0].weight.dense.elements(as: Float.self)
        == original.linears[0].weight.dense.elements(as: Float.self)
    )
  }

  @Test("promises what it leaves behind, and finds what cannot work")
  func checking() throws {
    let tiny = try Self.prepare()
    let promise = ModelPromise(try tiny.load().outline)
    func problems(_ change: (inout TrainOptions) -> Void) -> [StageProblem] {
      var promise = promise
      return TrainStage(Self.options(change)).check(&promise)
    }
    #expect(problems { _ in }.isEmpty)
    #expect(problems { $0.batches.length = 4096 }.first?.option == "length")
    #expect(problems { $0.parts.targets = [NamePattern("nothing")] }.first?.option == "targets.0")
    #expect(problems { $0.compute.memoryLimit = ByteSize(1000) }.first?.option == "batch")
    let bias = problems {
      $0.lora = AdapterOptions()
      $0.parts.targets = [NamePattern("model.norm")]
    }
    #expect(bias.first?.option == "targets.0")
    var after = promise
    _ = TrainStage(Self.options { $0.type = .bfloat16 }).check(&after)
    #expect(after.parts.allSatisfy { $0.format == .elements(.bfloat16) })
    #expect(TrainStage(Self.options()).plan(promise).peakByteCount ?? 0 > promise.byteCount)
  }

  @Test("says where bad data is")
  func badData() throws {
    let tiny = try Self.prepare()
    try Data("{\"text\": \"the cat\"}\n{broken\n".utf8).write(to: tiny.result("data.jsonl"))
    let options = Self.options { $0.data = [DataInput("data.jsonl")] }
    let error = #expect(throws: (any Error).self) { try Self.run(options, in: tiny) }
    #expect("\(try #require(error))".contains("data.jsonl:2"))
    let short = Self.options {
      $0.batches.skipBroken = true
      $0.data = options.data
      $0.steps = 1
    }
    let report = try Self.run(short, in: tiny, folder: "again").report
    #expect(report.warnings.contains { $0.contains("1 broken line") })
  }
}
