import Calibrate
import Export
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("Quantizing what is quantized, and formats that are not known yet")
struct QuantizedBeforeTests {
  /// Every stage that rounds, with a selection.
  private static func stages(_ selection: WeightSelection) -> [any Stage] {
    var nearest = RoundToNearestOptions()
    var gptq = GPTQOptions()
    var awq = AWQOptions()
    var learned = LearnedRoundingOptions()
    var allocate = AllocateOptions()
    nearest.selection = selection
    gptq.selection = selection
    awq.selection = selection
    learned.selection = selection
    allocate.selection = selection
    allocate.size = ByteSize(100_000)
    gptq.calibration.length = 64
    awq.calibration.length = 64
    learned.calibration.length = 64
    allocate.calibration.length = 64
    return [
      RoundToNearestStage(nearest), GPTQStage(gptq), AWQStage(awq), LearnedRoundingStage(learned),
      AllocateStage(allocate),
    ]
  }

  private static let layers = [NamePattern("model.layers.*")]
  private static let down = [NamePattern("*.down_proj")]

  @Test("codes of an earlier stage are not rounded again; excluded, they stay", arguments: 0..<5)
  func repeated(_ first: Int) throws {
    let start = ModelPromise(try TinyModel().load().outline)
    var promise = start
    #expect(Self.stages(WeightSelection(targets: Self.down))[first].check(&promise).isEmpty)
    let kind = type(of: Self.stages(WeightSelection())[first]).kind
    for stage in Self.stages(WeightSelection(targets: Self.layers)) {
      var after = promise
      let problems = stage.check(&after)
      #expect(problems.map(\.option) == ["targets"])
      let message = try #require(problems.first?.message)
      #expect(message.contains("`model.layers.0.mlp.down_proj` and 1 more"), "\(message)")
      #expect(message.contains("`\(kind)`") && message.contains("`exclude`"))
    }
    for stage in Self.stages(WeightSelection(targets: Self.layers, exclude: Self.down)) {
      var after = promise
      #expect(stage.check(&after).isEmpty)
      #expect(after["model.layers.0.mlp.down_proj"] == promise["model.layers.0.mlp.down_proj"])
    }
    // What training has made plain numbers is quantized once.
    promise.update(Set(promise.matrices.map(\.name))) { $0.format = .elements(.float32) }
    for stage in Self.stages(WeightSelection(targets: Self.layers)) {
      var after = promise
      #expect(stage.check(&after).isEmpty)
    }
  }

  @Test("a model that comes quantized is rounded again with a note")
  func fromDisk() throws {
    let model = try TinyModel().load()
    for linear in model.linears {
      linear.weight = try QuantizationTarget.blocks(.q4_1).nearest(
        linear.weight.matrix,
        importance: nil,
        layer: linear.name
      )
    }
    for stage in Self.stages(WeightSelection(targets: Self.layers)) {
      var promise = ModelPromise(model.outline)
      let notes = stage.plan(promise).notes
      #expect(
        notes.contains { $0.hasPrefix("14 matrices are quantized already") },
        "\(type(of: stage)): \(notes)"
      )
      #expect(stage.check(&promise).isEmpty)
    }
  }

  @Test("zeros that are lost are told")
  func zeros() throws {
    var promise = ModelPromise(try TinyModel().load().outline)
    promise.update(Set(promise.linears.map(\.name))) { $0.sparsity = 0.5 }
    var awq = AWQOptions()
    awq.grid.zero = .offset
    let selection = WeightSelection(targets: Self.layers)
    let stages = Self.stages(selection)
    for stage in [stages[3], stages[4], AWQStage(awq)] {
      let notes = stage.plan(promise).notes.joined(separator: "\n")
      #expect(notes.contains("zeros of 14 matrices such as `model.layers.0."), "\(notes)")
      #expect(notes.contains("are lost"))
    }
    #expect(stages[2].plan(promise).notes.joined().contains("zeros of 14 matrices stay zero"))
    #expect(stages[0].check(&promise).isEmpty)
    var tune = TuneOptions()
    #expect(!TuneStage(tune).plan(promise).notes.joined().contains("zeros"))
    tune.codes = .straightThrough
    #expect(TuneStage(tune).plan(promise).notes.joined().contains("zeros of 14 matrices"))
  }

  // MARK: - Formats that are chosen when a stage runs

  private func allocated(_ formats: [CandidateBlocks]) throws -> ModelPromise {
    var options = AllocateOptions()
    options.size = ByteSize(100_000)
    options.formats = formats.map { .blocks($0) }
    options.selection.targets = Self.layers
    options.calibration.length = 64
    var promise = ModelPromise(try TinyModel().load().outline)
    #expect(AllocateStage(options).check(&promise).isEmpty)
    return promise
  }

  @Test("an export must be able to hold every format that a matrix may get")
  func exports() throws {
    let open = try allocated([.q8_0, .iq4_nl, .q4_1])
    let problems = GGUFFormat(type: .q8_0).plan(open).problems
    #expect(problems.map(\.option) == ["type"])
    let message = try #require(problems.first?.message)
    #expect(message.contains("may become") && message.contains("`lossless` keeps it"))
    for type in [GGUFTensorType.lossless, .f16, .f32] {
      #expect(GGUFFormat(type: type).plan(open).problems.isEmpty)
    }
    #expect(GGUFFormat(type: .q8_0, requantizes: true).plan(open).problems.isEmpty)
    #expect(GGUFFormat(type: .q8_0).plan(try allocated([.q8_0])).problems.isEmpty)
  }

  @Test("a folder must be able to hold every width that a matrix may get")
  func folders() throws {
    func allocated(_ formats: [CandidateFormat]) throws -> ModelPromise {
      var options = AllocateOptions()
      options.file = .compressedTensors
      options.size = ByteSize(100_000)
      options.formats = formats
      options.calibration.length = 64
      var promise = ModelPromise(try TinyModel().load().outline)
      #expect(AllocateStage(options).check(&promise).isEmpty)
      return promise
    }
    let odd = try allocated([
      .groups(bits: 8, size: .columns(32)), .groups(bits: 5, size: .columns(32)),
    ])
    #expect(CompressedTensorsFormat().plan(odd).problems.isEmpty)
    let message = try #require(GPTQFormat().plan(odd).problems.first?.message)
    #expect(message.contains("may become int5"), "\(message)")
    var mixed = try allocated([
      .groups(bits: 8, size: .channel), .groups(bits: 4, size: .channel),
    ])
    #expect(CompressedTensorsFormat().plan(mixed).problems.isEmpty)
    #expect(ActivationsStage(ActivationsOptions()).check(&mixed).isEmpty)
    let refused = CompressedTensorsFormat().plan(mixed).problems
    #expect(refused.contains { $0.message.contains("may become int4") }, "\(refused)")
  }

  @Test("inputs are rounded only where every format can be multiplied in integers")
  func activations() throws {
    let stage = ActivationsStage(ActivationsOptions())
    var open = try allocated([.q8_0, .iq4_nl])
    let problems = stage.check(&open)
    #expect(problems.map(\.option) == ["targets"])
    #expect(problems.first?.message.contains("may become") == true)
    var fitting = try allocated([.q8_0, .q4_0])
    #expect(stage.check(&fitting).isEmpty)
  }

  @Test("what no check could see stops a stage before it does anything")
  func formatsAtRun() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let linear = model.linears[3]
    linear.weight = try QuantizationTarget.blocks(.iq4_NL).nearest(
      linear.weight.matrix,
      importance: nil,
      layer: linear.name
    )
    let context = StageContext(
      modelFolder: tiny.url,
      seed: 1,
      folder: tiny.url,
      exportURL: tiny.result("model.gguf"),
      paths: RecipePaths(recipeFolder: tiny.url)
    )
    var export = GGUFExportOptions()
    export.type = .q8_0
    let refused = #expect(throws: ExportError.self) {
      try GGUFExportStage(export).run(model, context)
    }
    #expect(refused?.code == .unsupported && refused?.problem.contains(linear.name) == true)
    #expect(!FileManager.default.fileExists(atPath: context.exportURL.path))
    let unfit = #expect(throws: QuantizeError.self) {
      try ActivationsStage(ActivationsOptions()).run(model, context)
    }
    #expect(unfit?.code == .unsupported && unfit?.layer == linear.name)
    #expect(model.linears.allSatisfy { $0.activation == nil })
    export.type = .lossless
    _ = try GGUFExportStage(export).run(model, context)
  }

  @Test("a mixture keeps what was fitted to the same mixture")
  func mixture() throws {
    let start = ModelPromise(try TinyModel(blocks: 8).load().outline)
    let name = "model.layers.0.mlp.down_proj"
    func size(_ promise: ModelPromise, _ type: GGUFTensorType) -> (Int, [StageProblem]) {
      let plan = GGUFFormat(type: type, embedding: .q8_0).plan(promise)
      return (plan.byteCount, plan.problems)
    }
    var options = GPTQOptions()
    options.type = .iq4_nl
    options.calibration.length = 64
    var promise = start
    #expect(GPTQStage(options).check(&promise).isEmpty)
    #expect(promise[name]?.format == .blocks(.iq4_NL))
    let (kept, problems) = size(promise, .iq4_nl)
    #expect(problems.isEmpty, "\(problems)")
    #expect(kept == size(promise, .lossless).0)
    // From plain numbers that matrix gets more bits.
    #expect(size(start, .iq4_nl).0 > kept)
    promise.update([name]) { $0.format = .blocks(.q4_1) }
    let other = size(promise, .iq4_nl).1
    #expect(other.count == 1 && other.first?.message.contains("lossless") == true)
  }
}
