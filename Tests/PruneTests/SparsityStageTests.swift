import Calibrate
import Foundation
import Models
import Pipeline
import Prune
import Sparsity
import Tensor
import TestSupport
import Testing

@Suite("Stages that set weights to zero")
struct SparsityStageTests {
  private func zeros(_ linear: Linear) -> Double {
    let weights = linear.weight.dense.elements(as: Float.self)
    return Double(weights.filter { $0 == 0 }.count) / Double(weights.count)
  }

  private func calibrate(_ options: inout WandaOptions) {
    options.calibration.sequences = 4
    options.calibration.length = 32
  }

  private func calibrate(_ options: inout SparseGPTOptions) {
    options.calibration.sequences = 4
    options.calibration.length = 32
  }

  @Test(
    "every selected layer gets the asked zeros in its own type, the others none",
    arguments: ["unstructured", "2:4", "4x4"],
    [DType.float32, .bfloat16]
  )
  func stages(_ text: String, _ dtype: DType) throws {
    let pattern = try #require(SparsityPattern(recipeText: text))
    let tiny = try TinyModel(.init(dtype: dtype))
    func shared(_ zeros: inout SparsityOptions) {
      zeros.pattern = pattern
      zeros.selection.exclude = [NamePattern("*.o_proj")]
    }
    var magnitude = MagnitudeOptions()
    shared(&magnitude.zeros)
    var wanda = WandaOptions()
    shared(&wanda.zeros)
    calibrate(&wanda)
    var sparse = SparseGPTOptions()
    shared(&sparse.zeros)
    calibrate(&sparse)
    let stages: [any Stage] = [
      MagnitudeStage(magnitude), WandaStage(wanda), SparseGPTStage(sparse),
    ]
    let before = try tiny.load()
    for stage in stages {
      let promised = promise(stage, of: before)
      #expect(promised.problems.isEmpty)
      let (model, report) = try runStage(stage, on: tiny)
      #expect(keeps(model, promised.promise))
      #expect(report.layers.count == 12)
      #expect(report.metrics["sparsity"] == 0.5)
      for linear in model.linears {
        let isSelected = !linear.name.hasSuffix("o_proj")
        #expect(zeros(linear) == (isSelected ? 0.5 : 0))
        #expect(promised.promise[linear.name]?.sparsity == (isSelected ? 0.5 : 0))
        guard isSelected, text == "2:4" else { continue }
        #expect(promised.promise[linear.name]?.zeroPattern == .init(zeros: 2, groupSize: 4))
        let weights = linear.weight.dense.elements(as: Float.self)
        for start in stride(from: 0, to: weights.count, by: 4) {
          #expect(weights[start..<start + 4].filter { $0 == 0 }.count == 2)
        }
      }
    }
  }

  @Test("a global scope takes the smallest weights of all layers, exactly as many as asked")
  func global() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    model.linears[0].weight = DenseWeight(model.linears[0].weight.dense.scaled(by: 0.01))
    try tiny.save(model)
    var options = MagnitudeOptions()
    options.scope = .global
    options.zeros.sparsity = 0.3
    let (pruned, report) = try runStage(MagnitudeStage(options), on: tiny)
    let before = model.linears.flatMap { $0.weight.dense.elements(as: Float.self) }
    let after = pruned.linears.flatMap { $0.weight.dense.elements(as: Float.self) }
    let asked = Int((0.3 * Double(before.count)).rounded())
    #expect(after.filter { $0 == 0 }.count == asked)
    #expect(report.metrics["zeros"] == Double(asked))
    let largestGone = zip(before, after).filter { $0.1 == 0 }.map { abs($0.0) }.max() ?? 0
    let smallestKept = after.filter { $0 != 0 }.map { abs($0) }.min() ?? 0
    #expect(largestGone <= smallestKept)
    #expect(zeros(pruned.linears[0]) > 0.9)
  }

  @Test("blocks with more outliers keep more, and the mean is what was asked for")
  func outliers() throws {
    let tiny = try TinyModel(blocks: 3)
    let model = try tiny.load()
    // A few large weights make the others small beside the mean.
    for linear in model.blocks[2].linears {
      var weights = linear.weight.dense.elements(as: Float.self)
      for index in stride(from: 0, to: weights.count, by: 50) { weights[index] *= 30 }
      linear.weight = DenseWeight(Tensor(weights, shape: [linear.rows, linear.columns]))
    }
    try tiny.save(model)
    var options = WandaOptions()
    calibrate(&options)
    options.allocation = .outliers
    let (pruned, report) = try runStage(WandaStage(options), on: tiny)
    let shares = pruned.blocks.map { zeros($0.feedForward.up) }
    #expect(shares[2] < shares[0] && shares[2] < shares[1])
    #expect(abs((report.metrics["sparsity"] ?? 0) - 0.5) < 1e-3)
  }

  @Test("where only the mean is known before, it is promised of every layer")
  func promisedMean() throws {
    let model = try TinyModel().load()
    var magnitude = MagnitudeOptions()
    magnitude.scope = .global
    magnitude.zeros.sparsity = 0.3
    magnitude.zeros.selection.exclude = [NamePattern("*.o_proj")]
    var wanda = WandaOptions()
    calibrate(&wanda)
    wanda.allocation = .outliers
    wanda.zeros = magnitude.zeros
    for stage in [MagnitudeStage(magnitude), WandaStage(wanda)] as [any Stage] {
      let promised = promise(stage, of: model)
      #expect(promised.problems.isEmpty)
      for part in promised.promise.linears {
        #expect(part.sparsity == (part.name.hasSuffix("o_proj") ? 0 : 0.3), "\(part.name)")
        #expect(PrunedMatrix.isPromised(part) == !part.name.hasSuffix("o_proj"))
      }
    }
  }

  @Test("contradictions, misfits and layers without inputs are refused")
  func refused() throws {
    let model = try TinyModel().load()
    var options = WandaOptions()
    calibrate(&options)
    options.zeros.pattern = .groups(nonzero: 2, of: 4)
    options.zeros.sparsity = 0.7
    #expect(promise(WandaStage(options), of: model).problems.map(\.option) == ["sparsity"])
    options.zeros.sparsity = nil
    options.allocation = .outliers
    #expect(promise(WandaStage(options), of: model).problems.map(\.option) == ["allocation"])
    options.allocation = .uniform
    options.zeros.pattern = .groups(nonzero: 3, of: 7)
    let misfit = promise(WandaStage(options), of: model).problems
    #expect(misfit.map(\.option) == ["pattern"])
    #expect(misfit.first?.message.contains("model.layers.0.self_attn.q_proj") == true)
    options.zeros.pattern = .unstructured
    options.zeros.selection.targets = [NamePattern("*")]
    #expect(promise(WandaStage(options), of: model).problems.map(\.option) == ["targets"])
    var magnitude = MagnitudeOptions()
    magnitude.scope = .global
    magnitude.zeros.pattern = .groups(nonzero: 2, of: 4)
    #expect(promise(MagnitudeStage(magnitude), of: model).problems.map(\.option) == ["scope"])
  }
}
