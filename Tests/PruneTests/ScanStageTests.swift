import Calibrate
import Foundation
import Models
import Pipeline
import Sparsity
import Tensor
import TestSupport
import Testing

@testable import Prune

@Suite("prune.scan")
struct ScanStageTests {
  private func options(_ change: (inout ScanOptions) -> Void = { _ in }) -> ScanOptions {
    var options = ScanOptions()
    options.calibration.sequences = 2
    options.calibration.length = 24
    change(&options)
    return options
  }

  /// The log-probabilities of all tokens after all of some sequences.
  private func logProbabilities(_ model: LanguageModel, _ sequences: [[Int32]]) -> [[Double]] {
    sequences.flatMap { sequence -> [[Double]] in
      let logits = model.logits(model.hidden([sequence]))
      let size = model.configuration.vocabularySize
      let all = logits.elements(as: Float.self).map(Double.init)
      return (0..<sequence.count - 1).map { token in
        let row = Array(all[token * size..<(token + 1) * size])
        let largest = row.max() ?? 0
        let norm = log(row.reduce(0) { $0 + exp($1 - largest) }) + largest
        return row.map { $0 - norm }
      }
    }
  }

  @Test(
    "measures what a model that is pruned there says, and leaves the model alone",
    arguments: [ScanUnit.block, .matrix]
  )
  func measurement(_ unit: ScanUnit) throws {
    let tiny = try TinyModel()
    let options = options { $0.by = unit }
    let (after, report) = try runStage(ScanStage(options), on: tiny)
    let model = try tiny.load()
    for (old, new) in zip(model.matrices, after.matrices) {
      #expect(
        old.weight.dense.elements(as: Float.self) == new.weight.dense.elements(as: Float.self)
      )
    }
    let names =
      unit == .block
      ? model.blocks.map { "model.layers.\($0.index)" } : model.linears.map(\.name)
    #expect(Set(report.layers.map(\.name)) == Set(names))
    #expect(report.layers.count == names.count)

    let row = try #require(report.layers.last)
    let context = StageContext(
      modelFolder: tiny.url,
      seed: 1,
      folder: tiny.result("context"),
      exportURL: tiny.result("export"),
      paths: RecipePaths(recipeFolder: tiny.url)
    )
    let sequences = try options.calibration.load(model, context).sequences
    let before = logProbabilities(model, sequences)
    let targets = sequences.flatMap { $0.dropFirst() }
    let loss = { (rows: [[Double]]) in
      -zip(rows, targets).reduce(0) { $0 + $1.0[Int($1.1)] } / Double(targets.count)
    }
    #expect(abs(try #require(report.metrics["perplexity"]) / exp(loss(before)) - 1) < 1e-5)
    for fraction in [0.3, 0.7] {
      let pruned = try tiny.load()
      for linear in pruned.linears
      where linear.name == row.name || linear.name.hasPrefix(row.name + ".") {
        let weight = linear.weight.dense
        let mask = Mask(weight, sparsity: fraction, pattern: .unstructured, scope: .matrix)
        linear.weight = DenseWeight(mask.applied(to: weight).weight)
      }
      let rows = logProbabilities(pruned, sequences)
      let divergence =
        zip(before, rows).reduce(0) { sum, pair in
          sum + zip(pair.0, pair.1).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
        } / Double(rows.count)
      let key = Int(fraction * 100)
      let measured = try #require(row.values["kl_\(key)"])
      #expect(abs(measured - divergence) < 1e-5 + 1e-3 * divergence, "\(measured) \(divergence)")
      let ratio = try #require(row.values["perplexity_ratio_\(key)"])
      #expect(abs(ratio - exp(loss(rows) - loss(before))) < 1e-4)
    }
    let (low, high) = (try #require(row.values["kl_30"]), try #require(row.values["kl_70"]))
    #expect(low < high)
  }

  @Test("finds what cannot be, and says how much it measures")
  func checking() throws {
    let tiny = try TinyModel()
    let model = try tiny.load()
    func options(_ change: (inout ScanOptions) -> Void) -> [String?] {
      promise(ScanStage(self.options(change)), of: model).problems.map(\.option)
    }
    #expect(options { _ in }.isEmpty)
    #expect(options { $0.sparsities = [0.5, 1] } == ["sparsities.1"])
    #expect(options { $0.sparsities = [0.5, 0.5] } == ["sparsities.1"])
    #expect(options { $0.sparsities = [] } == ["sparsities"])
    #expect(options { $0.pattern = .groups(nonzero: 3, of: 7) } == ["pattern"])
    #expect(options { $0.calibration.length = 129 } == ["length"])
    #expect(options { $0.selection.targets = [NamePattern("model.embed_tokens")] } == ["targets"])
    let plan = ScanStage(self.options()).plan(ModelPromise(model.outline))
    #expect(plan.notes.contains { $0.contains("6 pruned versions") }, "\(plan.notes)")
    #expect(SparsityScan.key(0.125) == "12.5")
    #expect(SparsityScan.key(0.7) == "70")
  }

  @Test("a weight that is no number is named, even if it is not scanned")
  func notFinite() throws {
    let tiny = try TinyModel()
    try tiny.damage("model.layers.1.mlp.down_proj")
    let stage = ScanStage(options { $0.selection.targets = [NamePattern("*.q_proj")] })
    let found = #expect(throws: PruneError.self) { try runStage(stage, on: tiny) }
    let error = try #require(found)
    #expect(error.code == .notFinite && error.location == "model.layers.1.mlp.down_proj")
  }
}
