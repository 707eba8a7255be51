import Calibrate
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("quantize.gptq")
struct GPTQStageTests {
  private func context(
    _ folder: URL,
    listener: any RunListener = SilentListener()
  ) -> StageContext {
    StageContext(
      modelFolder: folder,
      seed: 1,
      folder: folder,
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: folder),
      listener: listener
    )
  }

  private var options: GPTQOptions {
    var options = GPTQOptions()
    options.calibration.sequences = 8
    options.calibration.length = 64
    return options
  }

  @Test("outputs of every layer come nearer, and the promise is kept")
  func run() throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false))
    let model = try tiny.load()
    var promise = ModelPromise(model.outline)
    let stage = GPTQStage(options)
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context(tiny.url))
    for linear in model.linears { #expect(promise[linear.name]?.format == linear.format) }
    #expect(report.layers.count == 14)
    for layer in report.layers {
      let before = try #require(layer.values["nearest_output_error"])
      let after = try #require(layer.values["output_error"])
      #expect(after <= before && after > 0)
      #expect(layer.values["bits"] == 4.5 && layer.note?.contains("; GPTQ") == true)
    }
    let before = try #require(report.metrics["nearest_output_error"])
    #expect(try #require(report.metrics["output_error"]) < 0.9 * before)
  }

  @Test(
    "zeros of pruned matrices stay and are promised, unless the grid or the option says otherwise",
    arguments: [(true, GroupFormat.Zero.symmetric), (false, .symmetric), (true, .offset)]
  )
  func zeros(_ keepZeros: Bool, _ zero: GroupFormat.Zero) throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    var promise = ModelPromise(model.outline)
    var masks: [String: [Bool]] = [:]
    for linear in model.linears where !linear.name.hasSuffix("q_proj") {
      var weight = linear.weight.dense
      weight.withMutableElements(as: Float.self) { values in
        for index in values.indices where index % 4 < 2 { values[index] = 0 }
      }
      masks[linear.name] = weight.elements(as: Float.self).map { $0 == 0 }
      linear.weight = DenseWeight(weight)
    }
    promise.update(Set(masks.keys)) {
      $0.sparsity = 0.5
      $0.zeroPattern = ModelPromise.ZeroPattern(zeros: 2, groupSize: 4)
    }
    var options = options
    options.keepZeros = keepZeros
    options.grid.zero = zero
    let stage = GPTQStage(options)
    let pruned = promise
    let notes = stage.plan(promise).notes.joined(separator: "\n")
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context(tiny.url))
    let holds = keepZeros && zero == .symmetric
    for linear in model.linears {
      let part = try #require(promise[linear.name])
      let values = report.layers.first { $0.name == linear.name }?.values
      guard let mask = masks[linear.name] else {
        #expect(values?["held_sparsity"] == nil)
        continue
      }
      let dense = linear.weight.dense.elements(as: Float.self)
      #expect(zip(mask, dense).allSatisfy { !$0 || $1 == 0 } == holds)
      #expect(part.sparsity == (holds ? 0.5 : 0) && (part.zeroPattern != nil) == holds)
      #expect(values?["held_sparsity"] == (holds ? 0.5 : nil))
    }
    let expected =
      holds
      ? "zeros of 12 matrices stay zero: `model.layers.0.self_attn.k_proj` to"
      : keepZeros ? "have no exact zero" : "are lost: `keep_zeros` is off"
    #expect(notes.contains(expected), "\(notes)")
    guard keepZeros else { return }
    var nearest = RoundToNearestOptions()
    nearest.grid = options.grid
    let others = RoundToNearestStage(nearest).plan(pruned).notes.joined(separator: "\n")
    #expect(others.contains(expected), "\(others)")
  }

  @Test("the same bytes again, whether activations are in memory or in a file")
  func deterministic() throws {
    let tiny = try TinyModel()
    var results: [[UInt8]] = []
    for memory in [1 << 30, 1 << 30, 0] {
      let model = try tiny.load()
      var options = options
      options.calibration.memory = ByteSize(memory)
      _ = try GPTQStage(options).run(model, context(tiny.url))
      results.append(
        model.linears.flatMap { $0.weight.parts.flatMap { $0.tensor.viewedBytes } }
      )
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test("the head is fitted too, also where it is the embedding", arguments: [true, false])
  func head(_ isTied: Bool) throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: isTied))
    let model = try tiny.load()
    let original = model.head.weight
    var options = options
    options.selection = WeightSelection(targets: [NamePattern(model.head.name)])
    options.type = .q4_0
    var promise = ModelPromise(model.outline)
    let stage = GPTQStage(options)
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context(tiny.url))
    #expect(report.layers.map(\.name) == [model.head.name])
    #expect(
      model.head.format == .blocks(.q4_0) && promise[model.head.name]?.format == .blocks(.q4_0)
    )
    #expect(model.linears.allSatisfy { $0.format != .blocks(.q4_0) })
    let values = try #require(report.layers.first?.values)
    #expect(
      try #require(values["output_error"]) < 0.95 * (try #require(values["nearest_output_error"]))
    )
    #expect(original.format != model.head.format)
  }

  @Test("what is known of original inputs serves other bits, with the same bytes as without it")
  func keptStatistics() throws {
    let tiny = try TinyModel()
    let cache = tiny.url.appending(path: "cache")
    func run(_ bits: Int, finds: Bool) throws -> [UInt8] {
      let model = try tiny.load()
      let log = NoteLog()
      var options = options
      options.calibration.inputs = .original
      options.grid.bits = bits
      let report = try GPTQStage(options).run(model, context(tiny.url, listener: log))
      #expect(report.layers.count == 14)
      #expect(log.text.contains("kept by an earlier run") == finds)
      return model.linears.flatMap { $0.weight.parts.flatMap { $0.tensor.viewedBytes } }
    }
    func kept() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: cache.path).sorted()
    }
    let first = try run(3, finds: false)
    let names = try kept()
    #expect(names.count == 3)
    let other = try run(4, finds: true)
    #expect(try kept() == names)
    try FileManager.default.removeItem(at: cache)
    #expect(try run(4, finds: false) == other)
    // One that is cut is made again.
    let file = cache.appending(path: names[1])
    try Data(try Data(contentsOf: file).dropLast(4)).write(to: file)
    #expect(try run(3, finds: false) == first)
    #expect(first != other)
    // What is kept is what counts.
    for name in try kept() {
      let file = cache.appending(path: name)
      var data = try Data(contentsOf: file)
      for index in stride(from: 11, to: data.count, by: 4096) { data[index] &+= 1 }
      try data.write(to: file)
    }
    #expect(try run(3, finds: true) != first)
  }

  @Test("the importance of inputs is written as they were seen, if that is asked for")
  func importance() throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false))
    let url = tiny.url.appending(path: "imatrix.gguf")
    _ = try GPTQStage(options).run(try tiny.load(), context(tiny.url))
    #expect(!FileManager.default.fileExists(atPath: url.path))
    var options = options
    options.writeImatrix = true
    options.selection.targets.append(NamePattern("lm_head"))
    let model = try tiny.load()
    _ = try GPTQStage(options).run(model, context(tiny.url))
    let matrix = try ImportanceMatrix(contentsOf: url)
    #expect(Set(matrix.entries.keys) == Set(model.linears.map(\.name) + ["lm_head"]))
    #expect(matrix.chunkSize == 64 && matrix.chunkCount == 8 && matrix.datasets.count == 1)
    let original = try tiny.load()
    let set = try options.calibration.load(original, context(tiny.url))
    let walk = try BlockWalk(original, set, memoryByteCount: 1 << 30, scratch: tiny.url)
    let first = try #require(try walk.observeBlock(collecting: .gram, advancing: true).first)
    let entry = try #require(matrix["model.layers.0.self_attn.k_proj"])
    #expect(entry.count == 512)
    #expect(
      entry.sumsOfSquares.elements(as: Float.self) == first.statistics.sumsOfSquares.map(Float.init)
    )
  }

  @Test("a choice of inputs is refused where there is none")
  func inputChoice() throws {
    let promise = ModelPromise(try TinyModel().load().outline)
    var calibration = options.calibration
    calibration.inputs = .original
    #expect(calibration.check(promise).map(\.option) == ["calibration.inputs"])
    #expect(calibration.check(promise, choosesInputs: true).isEmpty)
  }

  @Test("an embedding without a head, and sequences beyond the context, are refused")
  func refusals() throws {
    let tiny = try TinyModel()
    let untied = try TinyModel(.init(tiesEmbeddings: false))
    var promise = ModelPromise(try untied.load().outline)
    var options = options
    options.selection = WeightSelection(targets: [NamePattern("model.embed_tokens")])
    #expect(GPTQStage(options).check(&promise).map(\.option) == ["targets"])
    promise = ModelPromise(try tiny.load().outline)
    #expect(GPTQStage(options).check(&promise).isEmpty)
    promise = ModelPromise(try tiny.load().outline)
    options = self.options
    options.calibration.length = 1 << 20
    #expect(GPTQStage(options).check(&promise).map(\.option) == ["calibration.length"])
    options = self.options
    options.type = .q4_0
    #expect(options.problems().isEmpty)
    #expect(GPTQStage(options).check(&promise).isEmpty)
    options.grid.bits = 3
    #expect(options.problems().map(\.option) == ["type"])
    options = self.options
    options.type = .q8_0
    var other = ModelPromise(try tiny.load().outline)
    other.update(["model.layers.0.mlp.down_proj"]) { $0.shape = [64, 90] }
    #expect(GPTQStage(options).check(&other).map(\.option) == ["type"])
    options = self.options
    options.grid.groupSize = .columns(40)
    promise = ModelPromise(try tiny.load().outline)
    #expect(GPTQStage(options).check(&promise).map(\.option) == ["group_size"])
  }

  @Test("a model without a tokenizer is refused when the recipe is checked")
  func noTokenizer() throws {
    let tiny = try TinyModel()
    #expect(GPTQStage(options).checkCompanions(of: try tiny.load()).isEmpty)
    try FileManager.default.removeItem(at: tiny.url.appending(path: "tokenizer.json"))
    let problems = GPTQStage(options).checkCompanions(of: try tiny.load())
    #expect(problems.first?.message.contains("tokenizer") == true)
  }
}

extension Tensor {
  fileprivate var viewedBytes: [UInt8] { withBytes { Array($0) } }
}
