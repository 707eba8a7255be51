import Calibrate
import Foundation
import Models
import Pipeline
import Prune
import Tensor
import TestSupport
import Testing

@Suite("prune.depth")
struct DepthStageTests {
  /// A model of six blocks, of which one adds next to nothing.
  private static func model(idle: Int) throws -> TinyModel {
    let tiny = try TinyModel(blocks: 6)
    let model = try tiny.load()
    for linear in model.blocks[idle].linears
    where linear.name.hasSuffix("o_proj") || linear.name.hasSuffix("down_proj") {
      linear.weight = DenseWeight(linear.weight.dense.scaled(by: 1e-3))
    }
    try tiny.save(model)
    return tiny
  }

  /// Options that cannot be, and which of them is to blame.
  struct Refusal: Sendable {
    let option: String?
    let change: @Sendable (inout DepthOptions) -> Void

    init(_ option: String?, _ change: @escaping @Sendable (inout DepthOptions) -> Void) {
      self.option = option
      self.change = change
    }
  }

  static let refusals: [Refusal] = [
    Refusal("blocks") { $0.blocks = .count(5) },
    Refusal("keep") { $0.keep = .count(6) },
    Refusal("keep") { $0.keep = .count(7) },
    Refusal("parameters_at_most") { $0.parametersAtMost = ParameterCount(1000) },
    Refusal("layers.1") { $0.layers = [2, 6] },
    Refusal("layers.1") { $0.layers = [2, 2] },
    Refusal("layers") { $0.layers = [0, 1, 2, 3, 4, 5] },
    Refusal("calibration.length") {
      $0.blocks = .count(1)
      $0.calibration.length = 129
    },
    Refusal(nil) { _ in },
    Refusal("keep") {
      $0.blocks = .count(1)
      $0.keep = .count(5)
    },
  ]

  private func options(_ change: (inout DepthOptions) -> Void) -> DepthOptions {
    var options = DepthOptions()
    options.calibration.sequences = 3
    options.calibration.length = 24
    change(&options)
    return options
  }

  @Test(
    "the block that adds nothing goes",
    arguments: [DepthMethod.blockInfluence, .kl],
    [true, false]
  )
  func idleBlock(_ method: DepthMethod, _ contiguous: Bool) throws {
    let tiny = try Self.model(idle: 3)
    let stage = DepthStage(
      options {
        $0.blocks = .count(1)
        $0.method = method
        $0.contiguous = contiguous
      }
    )
    let before = try tiny.load()
    let promised = promise(stage, of: before)
    #expect(promised.problems.isEmpty)
    let (after, report) = try runStage(stage, on: tiny)
    #expect(report.layers.filter { $0.note == "removed" }.map(\.name) == ["model.layers.3"])
    #expect(report.layers.filter { $0.note == "protected" }.map(\.name).count == 2)
    #expect(keeps(after, promised.promise))
    #expect(report.metrics["layers_after"] == 5)
    let tokens: [[Int32]] = [[5, 17, 200, 3, 99, 42]]
    let (x, y) = (before.hidden(tokens), after.hidden(tokens))
    #expect(difference(y, x, absolute: 0.05) == nil)
  }

  @Test("by perplexity the block goes without which the loss is least", arguments: [true, false])
  func perplexity(_ contiguous: Bool) throws {
    let stage = DepthStage(
      options {
        $0.blocks = .count(1)
        $0.method = .perplexity
        $0.contiguous = contiguous
      }
    )
    let (after, report) = try runStage(stage, on: try TinyModel(blocks: 6))
    #expect(after.blocks.count == 5)
    let name = contiguous ? "run_loss" : "loss"
    let losses = report.layers.compactMap { $0.values[name] }
    #expect(losses.count == 4)
    let removed = try #require(report.layers.first { $0.note == "removed" })
    #expect(removed.values[name] == losses.min())
    #expect(report.metrics["calibration_loss"] == losses.min())
  }

  @Test("greedy removal measures the blocks that are left again")
  func greedy() throws {
    let tiny = try Self.model(idle: 2)
    let stage = DepthStage(
      options {
        $0.blocks = .count(3)
        $0.method = .kl
      }
    )
    let (after, report) = try runStage(stage, on: tiny)
    #expect(after.blocks.count == 3)
    let rounds = report.layers.compactMap { $0.values["round"] }.sorted()
    #expect(rounds == [1, 2, 3])
    #expect(report.layers[2].values["round"] == 1)
    // Each removal costs something more.
    let costs = report.layers.filter { $0.note == "removed" }
      .sorted { ($0.values["round"] ?? 0) < ($1.values["round"] ?? 0) }
      .compactMap { $0.values["divergence"] }
    #expect(costs.count == 3 && costs[0] < costs[2])
    #expect(report.metrics["calibration_divergence"] == costs[2])
  }

  @Test("named blocks go without a measurement")
  func layers() throws {
    let tiny = try TinyModel(blocks: 6)
    let stage = DepthStage(options { $0.layers = [4, 0] })
    let (after, _) = try runStage(stage, on: tiny)
    let before = try tiny.load()
    #expect(after.blocks.count == 4)
    for (new, old) in zip(after.blocks, [1, 2, 3, 5]) {
      #expect(
        new.feedForward.up.weight.dense.elements(as: Float.self)
          == before.blocks[old].feedForward.up.weight.dense.elements(as: Float.self)
      )
    }
  }

  @Test("a run of blocks that is asked for is a run")
  func run() throws {
    let tiny = try TinyModel(blocks: 6)
    let stage = DepthStage(
      options {
        $0.keep = .fraction(0.5)
        $0.contiguous = true
      }
    )
    let (_, report) = try runStage(stage, on: tiny)
    let removed = report.layers.indices.filter { report.layers[$0].note == "removed" }
    #expect(removed.count == 3)
    #expect(removed.last == (removed.first ?? 0) + 2)
    let angles = (1...2).compactMap { report.layers[$0].values["run_angle"] }
    #expect(report.metrics["run_angle"] == angles.min())
  }

  @Test("a bound on weights removes as few blocks as it takes")
  func bound() throws {
    let model = try TinyModel(blocks: 6).load()
    let three = model.configuration.reduced(layerCount: 3).parameterCount
    for (bound, remaining) in [(three, 3), (three + 1, 3), (three - 1, 2)] {
      let stage = DepthStage(options { $0.parametersAtMost = ParameterCount(bound) })
      let promised = promise(stage, of: model)
      #expect(promised.problems.isEmpty)
      #expect(promised.promise.configuration.layerCount == remaining)
      #expect(promised.promise.parameterCount <= bound)
    }
  }

  @Test(
    "what leaves no model, or is not there, is refused",
    arguments: Self.refusals
  )
  func refused(_ refusal: Refusal) throws {
    let model = try TinyModel(blocks: 6).load()
    let problems = promise(DepthStage(options(refusal.change)), of: model).problems
    #expect(problems.map(\.option) == [refusal.option])
  }

  @Test("a model of quantized weights keeps their codes")
  func quantized() throws {
    let tiny = try TinyModel(blocks: 3)
    let model = try tiny.load()
    let format = GroupFormat(bits: 4, groupSize: 32, zero: .symmetric, scaleType: .float32)
    var random = TinyRandom(seed: 3)
    for linear in model.linears {
      let groups: Shape = [linear.rows, format.groupCount(columns: linear.columns)]
      let codes: Shape = [linear.rows, format.codeByteCount(columns: linear.columns)]
      linear.weight = GroupQuantizedWeight(
        codes: Tensor(
          (0..<codes.count).map { _ in UInt8.random(in: 0...255, using: &random) },
          shape: codes
        ),
        scales: Tensor((0..<groups.count).map { _ in 0.01 * random.normal() }, shape: groups),
        zeroPoints: nil,
        offsets: nil,
        format: format,
        columns: linear.columns
      )
    }
    try tiny.save(model)
    let stage = DepthStage(options { $0.layers = [1] })
    let before = try tiny.load()
    let promised = promise(stage, of: before)
    let (after, _) = try runStage(stage, on: tiny)
    #expect(keeps(after, promised.promise))
    for (new, old) in zip(after.blocks, [0, 2]) {
      for (linear, original) in zip(new.linears, before.blocks[old].linears) {
        #expect(linear.format == .groups(format), "\(linear.name)")
        #expect(
          linear.weight.dense.elements(as: Float.self)
            == original.weight.dense.elements(as: Float.self)
        )
      }
    }
  }

  @Test(
    "a weight that is no number is named, and nothing is chosen",
    arguments: DepthMethod.allCases,
    [true, false]
  )
  func notFinite(_ method: DepthMethod, _ contiguous: Bool) throws {
    let tiny = try TinyModel(blocks: 6)
    try tiny.damage("model.layers.3.mlp.up_proj")
    let stage = DepthStage(
      options {
        $0.blocks = .count(1)
        $0.method = method
        $0.contiguous = contiguous
      }
    )
    let found = #expect(throws: PruneError.self) { try runStage(stage, on: tiny) }
    let error = try #require(found)
    #expect(error.code == .notFinite && error.location == "model.layers.3.mlp.up_proj")
  }

  @Test("a head that is no number is named")
  func notFiniteHead() throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false), blocks: 4)
    try tiny.damage("lm_head")
    let stage = DepthStage(
      options {
        $0.blocks = .count(1)
        $0.method = .perplexity
      }
    )
    let found = #expect(throws: PruneError.self) { try runStage(stage, on: tiny) }
    let error = try #require(found)
    #expect(error.code == .notFinite && error.location == "lm_head")
  }
}
