import Calibrate
import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing

@testable import Quantize

@Suite("quantize.round")
struct LearnedRoundingTests {
  private static let text = String(
    repeating: "the cat sat on the mat and the rat ran over there; then the cat ran there too. ",
    count: 30
  )

  private static func options(
    _ change: (inout LearnedRoundingOptions) -> Void = { _ in }
  ) -> LearnedRoundingOptions {
    var options = LearnedRoundingOptions()
    options.grid.bits = 3
    options.calibration.text = .file(InputPath("text.txt"))
    options.calibration.sequences = 12
    options.calibration.length = 32
    options.iterations = 40
    change(&options)
    return options
  }

  private static func run(
    _ options: LearnedRoundingOptions
  ) throws -> (tiny: TinyModel, model: LanguageModel, report: StageReport) {
    let tiny = try TinyModel()
    try Data(text.utf8).write(to: tiny.result("text.txt"))
    let model = try tiny.load()
    let context = StageContext(
      modelFolder: tiny.url,
      seed: 3,
      folder: tiny.url,
      exportURL: tiny.result("export"),
      paths: RecipePaths(recipeFolder: tiny.url)
    )
    let stage = LearnedRoundingStage(options)
    var promise = ModelPromise(model.outline)
    #expect(stage.check(&promise).isEmpty)
    let report = try stage.run(model, context)
    #expect(model.outline.parts.map(\.format) == promise.parts.map(\.format))
    return (tiny, model, report)
  }

  @Test("lowers the error of every block's output", arguments: GroupFormat.Zero.allCases)
  func learns(zero: GroupFormat.Zero) throws {
    let (_, model, report) = try Self.run(Self.options { $0.grid.zero = zero })
    let blocks = report.layers.filter { $0.values["output_error"] != nil }
    #expect(blocks.count == 2)
    for block in blocks {
      let nearest = try #require(block.values["nearest_output_error"])
      #expect(try #require(block.values["output_error"]) < 0.8 * nearest, "\(block)")
    }
    #expect(model.linears.allSatisfy { $0.composed == nil })
  }

  @Test("codes are those of the nearest value or its neighbour while scales stay")
  func neighbours() throws {
    let options = Self.options { $0.scaleRate = 0 }
    let (tiny, model, _) = try Self.run(options)
    let original = try tiny.load()
    var moved = 0
    for (new, old) in zip(model.linears, original.linears) {
      let nearest = try roundToNearest(old.weight.matrix, grid: options.grid).weight
      let learned = try #require(new.weight as? GroupQuantizedWeight)
      #expect(difference(learned.scales, nearest.scales) == nil)
      for (a, b) in zip(unpacked(learned), unpacked(nearest)) where a != b {
        #expect(abs(Int(a) - Int(b)) == 1)
        moved += 1
      }
    }
    #expect(moved > 1000)
  }

  @Test("gives the same codes again, and leaves what is not selected")
  func deterministic() throws {
    let options = Self.options {
      $0.iterations = 8
      $0.target = .block
      $0.selection.exclude = [NamePattern("*.o_proj")]
    }
    let (first, second) = (try Self.run(options), try Self.run(options))
    for (a, b) in zip(first.model.linears, second.model.linears) {
      #expect(difference(a.weight.dense, b.weight.dense) == nil)
      let isQuantized = if case .groups = a.format { true } else { false }
      #expect(isQuantized == !a.name.hasSuffix("o_proj"))
    }
  }

  @Test("steps that are too long keep what was rounded to the nearest")
  func worse() throws {
    let options = Self.options {
      $0.iterations = 1
      $0.learningRate = 1
      $0.scaleRate = 1
    }
    let (tiny, model, report) = try Self.run(options)
    let original = try tiny.load()
    for (new, old) in zip(model.linears, original.linears) {
      let nearest = try roundToNearest(old.weight.matrix, grid: options.grid).weight
      #expect(difference(new.weight.dense, nearest.dense) == nil)
    }
    #expect(report.layers.contains { $0.note?.contains("none was better") == true })
  }

  @Test("sequences come in random order, each once before any comes again")
  func order() {
    var order = SequenceOrder(count: 5, seed: 1)
    let rounds: [[Int]] = (0..<4).map { _ in order.next(5) }
    for round in rounds { #expect(round.sorted() == [0, 1, 2, 3, 4]) }
    #expect(Set(rounds).count > 1)
    #expect(order.next(9).count == 5)
  }
}
