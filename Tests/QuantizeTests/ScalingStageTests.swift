import Calibrate
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("quantize.awq and quantize.smooth")
struct ScalingStageTests {
  private let tokens = [(0..<24).map { Int32($0 * 7 % 250) }]

  private var calibration: CalibrationOptions {
    var options = CalibrationOptions()
    options.sequences = 4
    options.length = 64
    return options
  }

  private func awq(_ change: (inout AWQOptions) -> Void = { _ in }) -> AWQStage {
    var options = AWQOptions()
    options.calibration = calibration
    options.steps = 8
    change(&options)
    return AWQStage(options)
  }

  private func context(_ folder: URL, writeBlock: @escaping (Int) throws -> Void = { _ in })
    -> StageContext
  {
    StageContext(
      modelFolder: folder,
      seed: 1,
      folder: folder,
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: folder),
      writeBlock: writeBlock
    )
  }

  @Test(
    "AWQ without rounding leaves the model's outputs as they are",
    arguments: [
      TinyModel.Variant(), .init(tiesEmbeddings: false, hasBias: true, scalesRotation: true),
    ]
  )
  func awqPreserves(variant: TinyModel.Variant) throws {
    let tiny = try TinyModel(variant)
    let model = try tiny.load()
    let expected = model.logits(model.hidden(tokens))
    let stage = awq { $0.rounding = .none }
    var promise = ModelPromise(model.outline)
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context(tiny.url))
    #expect(promise.parts.map(\.format) == model.outline.parts.map(\.format))
    let actual = model.logits(model.hidden(tokens))
    #expect(difference(actual, expected, relative: 1e-5, absolute: 1e-5) == nil)
    #expect(report.layers.map(\.name) == model.linears.map(\.name))
    #expect(report.layers.contains { ($0.values["power"] ?? 0) > 0 })
    let (before, after) = (
      try #require(report.metrics["nearest_output_error"]),
      try #require(report.metrics["output_error"])
    )
    #expect(after < before)
  }

  @Test(
    "AWQ with rounding gives every selected layer the grid",
    arguments: [GroupFormat.Zero.symmetric, .integer, .offset]
  )
  func awqRounds(zero: GroupFormat.Zero) throws {
    let tiny = try TinyModel(.init(dtype: .bfloat16))
    let model = try tiny.load()
    var finished: [Int] = []
    let stage = awq {
      $0.grid.zero = zero
      $0.scalesFrom = .both
      $0.selection = WeightSelection(
        targets: [NamePattern("model.layers.*")],
        exclude: [NamePattern("*.k_proj"), NamePattern("*.down_proj")]
      )
    }
    var promise = ModelPromise(model.outline)
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context(tiny.url) { finished.append($0) })
    #expect(finished == [0, 1])
    #expect(promise.parts.map(\.format) == model.outline.parts.map(\.format))
    #expect(report.layers.count == 10)
    #expect(report.metrics["output_error"] ?? 1 < 0.02)
    let byteCount = model.linears.reduce(0) {
      $1.format == .elements(.bfloat16) ? $0 : $0 + $1.weight.byteCount
    }
    #expect(report.metrics["bytes_after"] == Double(byteCount))
  }

  @Test("outputs of scaled and rounded layers are nearer than those of rounded ones")
  func awqHelps() throws {
    let tiny = try TinyModel()
    let stage = awq {
      $0.grid = Grid(bits: 3, groupSize: .columns(32), scale: .leastSquares)
      $0.steps = 20
    }
    let report = try stage.run(try tiny.load(), context(tiny.url))
    let nearest = try #require(report.metrics["nearest_output_error"])
    #expect(try #require(report.metrics["output_error"]) < nearest)
  }

  @Test("what is quantized and not selected is left as it is, and so are its partners")
  func quantizedBefore() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    var before = RoundToNearestOptions()
    before.grid = Grid(bits: 8, groupSize: .columns(32))
    before.selection = WeightSelection(targets: [NamePattern("*.v_proj")])
    _ = try RoundToNearestStage(before).run(model, context(tiny.url))
    let stage = awq {
      $0.selection = WeightSelection(
        targets: [NamePattern("model.layers.*")],
        exclude: [NamePattern("*.v_proj")]
      )
    }
    let values = model.blocks.map(\.attention.value.weight.dense)
    let norm = model.blocks[1].attentionNorm.weight
    var promise = ModelPromise(model.outline)
    let notes = stage.plan(promise).notes
    #expect(notes.contains { $0.hasPrefix("4 places are not scaled") })
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context(tiny.url))
    #expect(promise.parts.map(\.format) == model.outline.parts.map(\.format))
    for (block, value) in zip(model.blocks, values) {
      #expect(difference(block.attention.value.weight.dense, value) == nil)
    }
    #expect(difference(model.blocks[1].attentionNorm.weight, norm) == nil)
    #expect(report.layers.first?.note?.hasSuffix("; nearest; not scaled") == true)
    #expect(report.layers.contains { $0.note?.contains("; AWQ") == true })
    #expect(report.layers.allSatisfy { $0.values["bits"] == 4.5 })
  }

  @Test("what is no layer of a block, and groups that do not fit, are refused")
  func refused() throws {
    var promise = ModelPromise(try TinyModel().load().outline)
    let outside = awq { $0.selection = WeightSelection(targets: [NamePattern("*")]) }
    #expect(outside.check(&promise).map(\.option) == ["targets"])
    let groups = awq { $0.grid.groupSize = .columns(64) }
    #expect(groups.check(&promise).map(\.option) == ["group_size"])
    let long = awq { $0.calibration.length = 4096 }
    #expect(long.check(&promise).map(\.option) == ["calibration.length"])
  }

  @Test(
    "smoothing leaves the model's outputs as they are, and lowers 8-bit errors by search",
    arguments: [SmoothingAlpha.fixed(0.5), .search],
    [SmoothingPlaces.all, .normalized]
  )
  func smoothing(alpha: SmoothingAlpha, places: SmoothingPlaces) throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false, hasBias: true))
    let model = try tiny.load()
    let expected = model.logits(model.hidden(tokens))
    var options = SmoothOptions()
    options.calibration = calibration
    options.alpha = alpha
    options.places = places
    let stage = SmoothStage(options)
    var promise = ModelPromise(model.outline)
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context(tiny.url))
    #expect(promise.parts.map(\.format) == model.outline.parts.map(\.format))
    let actual = model.logits(model.hidden(tokens))
    #expect(difference(actual, expected, relative: 1e-5, absolute: 1e-5) == nil)
    #expect(report.layers.count == (places == .all ? 14 : 10))
    let (before, after) = (
      try #require(report.metrics["output_error_before"]),
      try #require(report.metrics["output_error"])
    )
    if alpha == .search { #expect(after < before) }
    #expect(before > 0 && after > 0 && after < 0.01)
  }

  @Test("a quantized model is not smoothed")
  func smoothingRefused() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    _ = try RoundToNearestStage(RoundToNearestOptions()).run(model, context(tiny.url))
    var promise = ModelPromise(model.outline)
    var options = SmoothOptions()
    options.calibration.length = 64
    #expect(SmoothStage(options).check(&promise).count == 1)
  }

  @Test("alpha is a number from 0 to 1 or `search`")
  func alpha() {
    #expect(SmoothingAlpha(recipeText: "search") == .search)
    #expect(SmoothingAlpha(recipeText: "0.25") == .fixed(0.25))
    #expect(SmoothingAlpha.fixed(0.25).recipeText == "0.25")
    for text in ["1.5", "-0.1", "nan", "much"] { #expect(SmoothingAlpha(recipeText: text) == nil) }
  }
}
