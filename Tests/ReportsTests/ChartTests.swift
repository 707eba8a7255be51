import Foundation
import Pipeline
import Testing

@testable import Reports

@Suite("Charts of stages")
struct ChartTests {
  /// A recipe that prunes, trains and exports, then begins again.
  private var branched: RunReport {
    var report = sampleReport()
    func entry(
      _ subject: RunReport.Entry.Subject,
      _ title: String,
      of input: String?,
      kl: Double?
    ) -> RunReport.Entry {
      var entry = RunReport.Entry(subject: subject, title: title, input: input, path: title)
      entry.numbers = ["size_bytes": 1e6]
      entry.numbers["kl_mean"] = kl
      entry.numbers["perplexity"] = kl.map { 20 * exp($0) } ?? 20
      return entry
    }
    report.entries = [
      entry(.baseline, "baseline", of: nil, kl: nil),
      entry(.stage, "01-prune.depth", of: "baseline", kl: 0.8),
      entry(.stage, "02-train", of: "01-prune.depth", kl: 0.3),
      entry(.export, "a.gguf", of: "02-train", kl: 0.35),
      entry(.stage, "05-quantize.gptq", of: "baseline", kl: 0.1),
      entry(.export, "b.gguf", of: "05-quantize.gptq", kl: 0.1),
    ]
    report.entries[0].numbers["perplexity"] = 20
    return report
  }

  @Test("a stage's change is from the model that it read, wherever the recipe began again")
  func changes() throws {
    let changes = try #require(StageChanges(branched))
    let differences = changes.steps.indices.map { changes.change("kl_mean", at: $0)?.difference }
    for (found, expected) in zip(differences, [0.8, -0.5, 0.05, 0.1, 0]) {
      #expect(abs(try #require(found) - expected) < 1e-12)
    }
    #expect(changes.steps.map(\.source) == [nil, 0, 1, nil, 3])
  }

  @Test("a change over stages that were not measured is that of all of them")
  func unmeasured() throws {
    var report = branched
    report.entries[2].numbers["kl_mean"] = nil
    let changes = try #require(StageChanges(report))
    #expect(changes.change("kl_mean", at: 1) == nil)
    let change = try #require(changes.change("kl_mean", at: 2))
    #expect(change.before == 0.8 && change.after == 0.35)
  }

  @Test("reports of earlier versions, which do not name it, are of the stage before")
  func unnamed() throws {
    var report = branched
    for index in report.entries.indices { report.entries[index].input = nil }
    #expect(try #require(StageChanges(report)).steps.map(\.source) == [nil, 0, 1, 1, 3])
  }

  @Test("bars of costs and of what was given back hang on each other")
  func waterfall() throws {
    let drawing = try #require(WaterfallChart(branched, width: 720)).render()
    #expect(drawing.components(separatedBy: "class=\"bar cost\"").count == 4)
    #expect(drawing.components(separatedBy: "class=\"bar gain\"").count == 2)
    #expect(drawing.components(separatedBy: "class=\"bar same\"").count == 2)
    #expect(drawing.contains("02-train: −0.500 → 0.300"))
    #expect(drawing.contains("KL to the baseline"))
    var report = branched
    for index in report.entries.indices { report.entries[index].numbers["kl_mean"] = nil }
    let losses = try #require(WaterfallChart(report, width: 360)).render()
    #expect(losses.contains("loss above the baseline") && losses.contains("02-train: −0.500"))
  }

  @Test("parts are sorted by what says most, the divergence before errors")
  func costs() throws {
    let layers = [
      StageReport.Layer("model.layers.0.mlp.up_proj", ["output_error": 0.5, "predicted_kl": 1]),
      StageReport.Layer("model.layers.1.mlp.up_proj", ["output_error": 0.9, "predicted_kl": 3]),
      StageReport.Layer("model.layers.2.mlp.up_proj", ["output_error": 0.1, "predicted_kl": 2]),
      StageReport.Layer("lm_head", ["output_error": .nan, "predicted_kl": .infinity]),
    ]
    let costs = try #require(PartCosts(layers))
    #expect(costs.key == "predicted_kl")
    #expect(costs.parts.map(\.block) == [1, 2, 0])
    #expect(costs.summary.hasPrefix("model.layers.1.mlp.up_proj 3"))
    #expect(PartCosts([layers[0]]) == nil)
    #expect(PartCosts(layers.map { StageReport.Layer($0.name, ["bytes": 1]) }) == nil)
    var entry = branched.entries[1]
    entry.layers = layers
    let table = try #require(entry.layerTable)
    #expect(table.columns.map(\.title) == ["part", "predicted kl", "output error"])
    #expect(table.rows.map { $0[0].prefix(15) }.last == "lm_head")
    #expect(table.rows.count == 4)
  }

  @Test("a scan has a map for each fraction of zeros, and is sorted by the middle one")
  func scan() throws {
    let layers = (0..<3).map { block in
      StageReport.Layer(
        "model.layers.\(block)",
        [
          "kl_30": 0.1 * Double(block), "kl_100": 9, "kl_62.5": 0.3 - 0.1 * Double(block),
          "perplexity_ratio_30": 1.1, "kl_mean": 5,
        ]
      )
    }
    #expect(PartCosts.drawn(layers).map(\.key) == ["kl_30", "kl_62.5", "kl_100"])
    let costs = try #require(PartCosts(layers))
    #expect(costs.title == "KL with 62.5 % zeros" && costs.parts.map(\.block) == [0, 1, 2])
    #expect(PartCosts.drawn([StageReport.Layer("a", ["kl_mean": 1])]).isEmpty)
    var report = sampleReport()
    report.entries[1].layers = layers
    let page = try HTMLReport.render(report)
    for fraction in ["30", "62.5", "100"] {
      #expect(page.contains("aria-label=\"KL with \(fraction) % zeros by block"))
    }
  }

  @Test("a name tells the block and the kind of matrix")
  func places() {
    let place = PartCosts.place("model.layers.12.self_attn.q_proj")
    #expect(place?.block == 12 && place?.kind == "self_attn.q_proj")
    #expect(PartCosts.place("model.layers.3")?.kind == "block")
    for name in ["lm_head", "layers", "model.layers.", "model.layers.x.y", "model.layers.-1.y"] {
      #expect(PartCosts.place(name) == nil, "\(name)")
    }
  }

  @Test("a map has a cell for each part, the darkest for the most costly")
  func heatMap() throws {
    let layers = (0..<4).flatMap { block in
      ["mlp.up_proj", "<b>&"].map {
        StageReport.Layer(
          "model.layers.\(block).\($0)",
          ["output_error": 0.01 * Double(block + 1)]
        )
      }
    }
    let costs = try #require(PartCosts(layers))
    let drawing = try #require(PartHeatMap(costs, width: 330)).render()
    #expect(drawing.components(separatedBy: "<title>").count == 9)
    #expect(drawing.components(separatedBy: "fill-opacity=\"1\"").count == 4)
    #expect(drawing.contains("&lt;b&gt;&amp;") && !drawing.contains("<b>"))
    // Nothing to compare.
    let one = layers.filter { $0.name.contains("layers.0") }
    #expect(PartHeatMap(try #require(PartCosts(one)), width: 330) == nil)
  }

  @Test("losses are lines for training and held-out text")
  func losses() throws {
    let curve = try #require(sampleReport().entries[1].curve)
    let drawing = try #require(LossChart(curve, width: 680, height: 220)).render()
    #expect(drawing.components(separatedBy: "<polyline").count == 3)
    #expect(drawing.components(separatedBy: "<circle").count == 3)
    let one = TrainingCurve(training: [TrainingCurve.Point(step: 1, loss: 2)], validation: [])
    #expect(LossChart(one, width: 680, height: 220) == nil)
  }
}
