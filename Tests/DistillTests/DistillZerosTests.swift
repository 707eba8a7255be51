import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing
import TrainStages

@testable import Distill

@Suite("Zeros in distillation")
struct DistillZerosTests {
  let pair: Pair

  init() throws { pair = try Pair() }

  /// The student, in the first block of which two of four neighbours are zero.
  private func pruned() throws -> LanguageModel {
    let model = try pair.student.load()
    for linear in model.linears where linear.name.hasPrefix("model.layers.0.") {
      let weight = linear.weight.dense
      let elements = weight.elements(as: Float.self).enumerated().map {
        $0.offset % 4 < 2 ? $0.element : 0
      }
      linear.weight = DenseWeight(Tensor(elements, shape: weight.shape))
    }
    return model
  }

  private func zeros(_ linear: Linear) -> [Bool] {
    linear.weight.dense.elements(as: Float.self).map { $0 == 0 }
  }

  private func stages(_ change: (inout TrainOptions) -> Void) -> [any Stage] {
    let logits = pair.options {
      OnPolicyTests.change(&$0.onPolicy)
      change(&$0.training)
    }
    var hidden = DistillHiddenOptions()
    hidden.teacher = ModelPath(pair.teacher.url.path)
    hidden.relations = RelationOptions()
    var blocks = DistillBlocksOptions()
    blocks.teacher = ModelPath(pair.teacher.url.path)
    blocks.sequences = 16
    Pair.change(&hidden.training)
    Pair.change(&blocks.training)
    change(&hidden.training)
    change(&blocks.training)
    return [DistillLogitsStage(logits), DistillHiddenStage(hidden), DistillBlocksStage(blocks)]
  }

  @Test("stay where pruning has set them, with decay, and the others are trained")
  func kept() throws {
    for (index, stage) in stages({ $0.rule.weightDecay = 0.1 }).enumerated() {
      let (before, model) = (try pruned(), try pruned())
      let report = try stage.run(model, pair.context("kept\(index)"))
      for (old, new) in zip(before.linears, model.linears) {
        #expect(zeros(old) == zeros(new), "\(index) \(new.name)")
        let (a, b) = (old.weight.dense, new.weight.dense)
        #expect(a.elements(as: Float.self) != b.elements(as: Float.self), "\(index) \(new.name)")
      }
      #expect(
        report.layers.count { $0.values["held_sparsity"] == 0.5 } == (index < 2 ? 7 : 0),
        "\(report.layers)"
      )
    }
  }

  @Test("are lost if they are not to be kept")
  func lost() throws {
    for (index, stage) in stages({ $0.keepZeros = false }).enumerated() {
      let model = try pruned()
      _ = try stage.run(model, pair.context("lost\(index)"))
      #expect(zeros(model.linears[0]).count { $0 } < 100, "\(index)")
    }
  }

  @Test("grow in number while the student learns, and keep those that were there")
  func gradual() throws {
    let stage = DistillLogitsStage(
      pair.options {
        var prune = GradualPruning()
        (prune.sparsity, prune.every) = (0.6, 2)
        $0.training.prune = prune
      }
    )
    let (before, model) = (try pruned(), try pruned())
    let report = try stage.run(model, pair.context("gradual"))
    for (old, new) in zip(before.linears, model.linears) {
      let now = zeros(new)
      #expect(zip(zeros(old), now).allSatisfy { !$0 || $1 }, "\(new.name)")
      #expect(now.count { $0 } == Int((0.6 * Double(now.count)).rounded()), "\(new.name)")
    }
    #expect(!zeros(model.embedding).contains(true))
    // Before all zeros are there no validation makes a result.
    #expect(try #require(report.metrics["validation_step"]) >= 7)
    let file = pair.student.result("gradual").appending(path: "metrics.jsonl")
    let sparsities = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      .compactMap {
        let line = try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        return line?["sparsity"] as? Double
      }
    #expect(sparsities.count == 12 && sparsities == sparsities.sorted())
    #expect(abs((sparsities.last ?? 0) - 0.6) < 1e-3)
  }
}
