import Calibrate
import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing

@testable import Prune

@Suite("prune.width")
struct WidthStageTests {
  private static let tokens: [[Int32]] = [[5, 17, 200, 3, 99, 42, 7, 150, 12, 13, 14]]

  /// Options that cannot be, and which of them is to blame.
  struct Refusal: Sendable {
    let option: String?
    let change: @Sendable (inout WidthOptions) -> Void

    init(_ option: String?, _ change: @escaping @Sendable (inout WidthOptions) -> Void) {
      self.option = option
      self.change = change
    }
  }

  static let refusals: [Refusal] = [
    Refusal("feed_forward") { $0.feedForward = .count(96) },
    Refusal("heads") { $0.heads = .count(3) },
    Refusal("heads") { $0.heads = .count(4) },
    Refusal("hidden") { $0.hidden = .count(65) },
    Refusal("hidden") { $0.hidden = .count(50) },
    Refusal("parameters_at_most") { $0.parametersAtMost = ParameterCount(1_000) },
    Refusal("parameters_at_most") { $0.parametersAtMost = ParameterCount(10_000_000) },
    Refusal("hidden") {
      $0.hidden = .count(32)
      $0.parametersAtMost = ParameterCount(50_000)
    },
    Refusal(nil) { _ in },
  ]

  private func options(_ change: (inout WidthOptions) -> Void) -> WidthOptions {
    var options = WidthOptions()
    options.calibration.sequences = 4
    options.calibration.length = 32
    options.multiple = 16
    change(&options)
    return options
  }

  /// A model in which half of the neurons and one key group do next to nothing.
  private func idleModel() throws -> (tiny: TinyModel, idle: [Int]) {
    let tiny = try TinyModel()
    let model = try tiny.load()
    var random = TinyRandom(seed: 9)
    let idle = Array((0..<96).shuffled(using: &random).prefix(48)).sorted()
    for block in model.blocks {
      for linear in [block.feedForward.gate, block.feedForward.up] {
        var weights = linear.weight.dense.elements(as: Float.self)
        for row in idle { for column in 0..<64 { weights[row * 64 + column] *= 1e-3 } }
        linear.weight = DenseWeight(Tensor(weights, shape: [96, 64]))
      }
      let value = block.attention.value
      var weights = value.weight.dense.elements(as: Float.self)
      for index in 0..<16 * 64 { weights[index] *= 1e-3 }
      value.weight = DenseWeight(Tensor(weights, shape: [32, 64]))
    }
    try tiny.save(model)
    return (tiny, idle)
  }

  @Test(
    "neurons and heads that do nothing go, whatever says what matters",
    arguments: WidthImportance.allCases,
    [true, false]
  )
  func idle(_ importance: WidthImportance, _ compensate: Bool) throws {
    let (tiny, idle) = try idleModel()
    let before = try tiny.load()
    let stage = WidthStage(
      options {
        $0.feedForward = .fraction(0.5)
        $0.heads = .count(2)
        $0.importance = importance
        $0.compensate = compensate
      }
    )
    let promised = promise(stage, of: before)
    #expect(promised.problems.isEmpty)
    let (after, report) = try runStage(stage, on: tiny)
    #expect(keeps(after, promised.promise))
    #expect(after.configuration.feedForwardSize == 48)
    #expect(after.configuration.queryHeads == 2)
    #expect(after.configuration.keyHeads == 1)
    #expect(report.layers.count == 4)
    // The gate's rows that remain are the original's in their order, but for those that do nothing.
    let kept = (0..<96).filter { !idle.contains($0) }.map { Int32($0) }
    let gate = before.blocks[1].feedForward.gate.weight.dense.gathered(rows: kept)
    #expect(difference(after.blocks[1].feedForward.gate.weight.dense, gate) == nil)
    let (x, y) = (before.hidden(Self.tokens), after.hidden(Self.tokens))
    #expect(difference(y, x, absolute: 0.02) == nil)
  }

  @Test("compensation lowers the error of every projection that loses inputs")
  func compensation() throws {
    let tiny = try TinyModel()
    let stage = WidthStage(options { $0.feedForward = .count(64) })
    let (_, report) = try runStage(stage, on: tiny)
    #expect(report.layers.count == 2)
    for layer in report.layers {
      let plain = try #require(layer.values["error_uncompensated"])
      let refitted = try #require(layer.values["output_error"])
      #expect(refitted < 0.98 * plain && plain > 0.01)
    }
  }

  @Test("compensation is the least squares solution")
  func leastSquares() throws {
    var random = TinyRandom(seed: 2)
    let inputs = Tensor((0..<40 * 6).map { _ in Double(random.normal()) }, shape: [40, 6])
    let weight = Tensor((0..<3 * 6).map { _ in random.normal() }, shape: [3, 6])
    let gram = matrixProduct(inputs, inputs, firstTransposed: true)
    let kept = [0, 2, 3, 5]
    let result = try compensate(weight, gram: gram, kept: kept, damping: 1e-12, layer: "layer")
    // The residual is orthogonal to every input that remains.
    let change = weight.converted(to: .float64) - result.weight.converted(to: .float64)
    let products = matrixProduct(change, gram).elements(as: Double.self)
    for row in 0..<3 { for column in kept { #expect(abs(products[row * 6 + column]) < 1e-4) } }
    let values = result.weight.elements(as: Float.self)
    for row in 0..<3 { for column in [1, 4] { #expect(values[row * 6 + column] == 0) } }
    let total = weight.converted(to: .float64)
    let expected =
      change.dot(matrixProduct(change, gram)) / total.dot(matrixProduct(total, gram))
    #expect(abs(result.errorAfter - expected) < 1e-6)
    #expect(result.errorAfter < result.errorBefore)
  }

  @Test("the residual stream can be narrowed with everything else at once")
  func hidden() throws {
    let tiny = try TinyModel(.init(tiesEmbeddings: false))
    let stage = WidthStage(
      options {
        $0.hidden = .count(48)
        $0.feedForward = .count(80)
        $0.heads = .fraction(0.5)
      }
    )
    let promised = promise(stage, of: try tiny.load())
    #expect(promised.problems.isEmpty)
    let (model, report) = try runStage(stage, on: tiny)
    #expect(keeps(model, promised.promise))
    #expect(model.configuration.hiddenSize == 48)
    #expect(model.configuration.headSize == 16)
    #expect((report.metrics["hidden_importance_kept"] ?? 0) > 0.75)
    let hidden = model.hidden(Self.tokens).elements(as: Float.self)
    #expect(!hidden.contains { !$0.isFinite })
  }

  @Test(
    "a bound on weights is kept, and split over the axes",
    arguments: [
      [WidthAxis.feedForward], [.feedForward, .heads], [.feedForward, .heads, .hidden],
    ]
  )
  func bound(_ axes: [WidthAxis]) throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    let limit = model.parameterCount * 4 / 5
    let stage = WidthStage(
      options {
        $0.parametersAtMost = ParameterCount(limit)
        $0.axes = axes
      }
    )
    #expect(promise(stage, of: model).problems.isEmpty)
    let (pruned, report) = try runStage(stage, on: tiny)
    #expect(pruned.parameterCount <= limit)
    #expect(pruned.configuration.feedForwardSize % 16 == 0)
    #expect(pruned.configuration.hiddenSize % 16 == 0)
    for axis in axes { #expect(report.metrics["\(axis.rawValue)_sensitivity"] != nil) }
  }

  @Test("what is dear is spared")
  func split() throws {
    let configuration = try TinyModel().load().configuration
    let options = options { $0.axes = [.feedForward, .heads] }
    let limit = configuration.parameterCount * 9 / 10
    func sizes(_ feedForward: Double, _ heads: Double) -> WidthSizes {
      options.split(
        configuration,
        limit: limit,
        [
          .feedForward: WidthSensitivity(fraction: 0.25, rise: feedForward),
          .heads: WidthSensitivity(fraction: 0.5, rise: heads),
        ]
      )
    }
    #expect(sizes(0.001, 10).keyHeads == 2)
    #expect(sizes(10, 0.001).keyHeads == 1)
    #expect(sizes(10, 0.001).feedForward > sizes(0.001, 10).feedForward)
  }

  @Test("a limit out of reach is answered with the least that can be reached")
  func unreachable() throws {
    let model = try TinyModel().load()
    func problems(_ limit: Int) -> [StageProblem] {
      let stage = WidthStage(options { $0.parametersAtMost = ParameterCount(limit) })
      return promise(stage, of: model).problems
    }
    let smallest = model.configuration.reduced(
      feedForwardSize: 16,
      keyHeads: 1,
      hiddenSize: model.configuration.hiddenSize
    )
    let least = smallest.parameterCount
    let message = try #require(problems(least - 1).first?.message)
    #expect(message.contains("at least \(least) weights remain"))
    #expect(message.contains("`feed_forward` and `heads`"))
    #expect(message.contains("name hidden in `axes`"))
    #expect(problems(least).isEmpty)
  }

  @Test(
    "sizes that remove nothing, or that no heads have, are refused",
    arguments: Self.refusals
  )
  func refused(_ refusal: Refusal) throws {
    let model = try TinyModel().load()
    let problems = promise(WidthStage(options(refusal.change)), of: model).problems
    #expect(problems.map(\.option) == [refusal.option])
  }

  @Test("two runs give the same bytes")
  func deterministic() throws {
    let tiny = try TinyModel()
    let stage = WidthStage(
      options {
        $0.feedForward = .fraction(0.6)
        $0.importance = .taylor
      }
    )
    let first = try runStage(stage, on: tiny).model
    let second = try runStage(stage, on: tiny).model
    for (a, b) in zip(first.matrices, second.matrices) {
      #expect(a.weight.dense.elements(as: Float.self) == b.weight.dense.elements(as: Float.self))
    }
  }

  @Test(
    "a weight that is no number is named, whatever says what matters",
    arguments: WidthImportance.allCases
  )
  func notFinite(_ importance: WidthImportance) throws {
    let tiny = try TinyModel()
    try tiny.damage("model.layers.1.mlp.down_proj")
    let stage = WidthStage(
      options {
        $0.feedForward = .count(64)
        $0.importance = importance
        $0.compensate = false
      }
    )
    let found = #expect(throws: PruneError.self) { try runStage(stage, on: tiny) }
    let error = try #require(found)
    #expect(error.code == .notFinite && error.location == "model.layers.1.mlp.down_proj")
  }
}
