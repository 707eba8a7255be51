import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("quantize.round_to_nearest")
struct RoundToNearestStageTests {
  private func stage(_ grid: Grid, targets: [String] = ["model.layers.*"], exclude: [String] = [])
    -> RoundToNearestStage
  {
    var options = RoundToNearestOptions()
    options.grid = grid
    options.selection = WeightSelection(
      targets: targets.map { NamePattern($0) },
      exclude: exclude.map { NamePattern($0) }
    )
    return RoundToNearestStage(options)
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

  @Test("quantizes what is selected, and reports each matrix")
  func run() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    var finished: [Int] = []
    let stage = stage(Grid(bits: 4, groupSize: .columns(32)), exclude: ["*.o_proj"])
    let report = try stage.run(model, context(tiny.url) { finished.append($0) })
    #expect(report.layers.count == 12)
    #expect(finished == [0, 1])
    for linear in model.linears {
      let isQuantized = if case .groups = linear.format { true } else { false }
      #expect(isQuantized == !linear.name.hasSuffix("o_proj"))
    }
    let layer = try #require(report.layers.first { $0.name.hasSuffix("q_proj") })
    #expect(layer.values["bytes_before"] == 16384)
    #expect(layer.values["bytes_after"] == 2304)
    let error = try #require(layer.values["relative_error"])
    #expect(error > 0.001 && error < 0.02)
  }

  @Test("the promise is kept")
  func promise() throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false))
    let model = try tiny.load()
    let stage = stage(
      Grid(bits: 3, groupSize: .columns(32), zero: .integer),
      targets: ["*"]
    )
    var promise = ModelPromise(model.outline)
    #expect(stage.check(&promise).isEmpty)
    _ = try stage.run(model, context(tiny.url))
    #expect(promise.byteCount == ModelPromise(model.outline).byteCount)
    #expect(promise.parts.map(\.format) == model.outline.parts.map(\.format))
  }

  @Test("a group size that does not divide the columns is refused with those that do")
  func groupSize() throws {
    var promise = ModelPromise(try TinyModel().load().outline)
    let problems = stage(Grid(bits: 4, groupSize: .columns(64))).check(&promise)
    #expect(problems.map(\.option) == ["group_size"])
    let expected =
      "groups of 64 do not divide the 96 columns of `model.layers.0.mlp.down_proj` and 1 more; "
      + "8, 16 and 32 do"
    #expect(problems.first?.message == expected)
  }

  @Test("a pattern without a match is refused with the nearest names")
  func pattern() throws {
    var promise = ModelPromise(try TinyModel().load().outline)
    let problems = stage(Grid(), targets: ["model.layers.*.mlp.gate"]).check(&promise)
    #expect(problems.first?.message.contains("model.layers.*.mlp.gate_proj") == true)
  }

  @Test("quantizing a tied embedding quantizes the head")
  func tiedEmbedding() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let stage = stage(Grid(bits: 8, groupSize: .columns(32)), targets: ["model.embed_tokens"])
    _ = try stage.run(model, context(tiny.url))
    #expect(model.head.format.description == "int8 in groups of 32, symmetric")
  }
}
