import Foundation
import Models
import Pipeline
import Testing

@testable import Evaluate

@Suite("The recipe's evaluation")
struct TextEvaluatorTests {
  @Test("baseline and changed model are measured, with size and agreement")
  func measuring() throws {
    let (baseline, changed) = (try GoldenModelCopy(), try GoldenModelCopy())
    try changed.replace("model.layers.0.mlp.down_proj") { $0[11] += 1 }
    let context = makeContext(baseline)
    let evaluator = TextEvaluator()
    let first = try evaluator.measureBaseline(baseline.url, context)
    #expect(first.values["kl_mean"] == nil)
    #expect(try #require(first.values["perplexity"]) > 1)
    #expect(first.values["evaluated_tokens"] == 217)
    let same = try evaluator.measure(baseline.url, context)
    #expect(same.values["kl_mean"] == 0 && same.values["top1_agreement"] == 1)
    #expect(same.values["perplexity"] == first.values["perplexity"])
    let other = try evaluator.measure(changed.url, context)
    #expect(try #require(other.values["kl_mean"]) > 0)
    #expect(try #require(other.values["loss_increase_standard_error"]) > 0)
    let size = try #require(first.values["size_bytes"])
    let attributes = try FileManager.default.attributesOfItem(
      atPath: baseline.url.appending(path: "model.safetensors").path
    )
    #expect(size == (attributes[.size] as? NSNumber)?.doubleValue)
    let parameters = try #require(first.values["parameters"])
    #expect(first.values["bits_per_weight"] == 8 * size / parameters)
  }

  @Test("a baseline that was moved is compared with at its present place")
  func movedBaseline() throws {
    let (baseline, changed) = (try GoldenModelCopy(), try GoldenModelCopy())
    try changed.replace("model.layers.0.mlp.down_proj") { $0[11] += 1 }
    let old = makeContext(baseline)
    let evaluator = TextEvaluator()
    _ = try evaluator.measureBaseline(baseline.url, old)
    let expected = try evaluator.measure(changed.url, old).values["kl_mean"]
    let moved = baseline.url.deletingLastPathComponent().appending(path: "\(UUID())")
    try FileManager.default.moveItem(at: baseline.url, to: moved)
    // Where the baseline was, there is another model.
    try FileManager.default.copyItem(at: changed.url, to: baseline.url)
    let context = EvaluationContext(
      settings: makeSettings(),
      paths: RecipePaths(recipeFolder: moved),
      baseline: moved,
      referenceFolder: moved.appending(path: "reference"),
      seed: 0
    )
    #expect(try evaluator.measure(changed.url, context).values["kl_mean"] == expected)
  }

  @Test("a damaged tokenizer is found before anything runs")
  func damagedTokenizer() throws {
    let tiny = try GoldenModelCopy()
    #expect(try TextEvaluator().checkCompanions(of: tiny.load()).isEmpty)
    try Data("{".utf8).write(to: tiny.url.appending(path: "tokenizer.json"))
    let problems = try TextEvaluator().checkCompanions(of: tiny.load())
    #expect(problems.first?.message.hasPrefix("the tokenizer cannot be opened: ") == true)
  }

  @Test("memory grows with the window and with agreement, and holds the model")
  func memory() throws {
    let promise = ModelPromise(try GoldenModelCopy().load().outline)
    var settings = makeSettings()
    func peak(_ settings: EvaluationSettings) throws -> Int {
      try #require(TextEvaluator().estimatedPeakByteCount(settings, promise, largest: 1_000_000))
    }
    let small = try peak(settings)
    #expect(small > 1_000_000)
    settings.context = 64
    let long = try peak(settings)
    settings.agreement = false
    #expect(long > small)
    #expect(try peak(settings) < long)
  }

  @Test("without agreement nothing is kept")
  func withoutAgreement() throws {
    let baseline = try GoldenModelCopy()
    var settings = makeSettings()
    settings.agreement = false
    let context = makeContext(baseline, settings)
    _ = try TextEvaluator().measureBaseline(baseline.url, context)
    #expect(!FileManager.default.fileExists(atPath: context.referenceFolder.path))
    let again = try TextEvaluator().measure(baseline.url, context)
    #expect(again.values["kl_mean"] == nil)
  }

  @Test("a longer window than the model's context and a single window are warned of")
  func warnings() throws {
    let baseline = try GoldenModelCopy()
    var settings = makeSettings()
    settings.context = 80
    settings.tokens = 100
    let measured = try TextEvaluator().measureBaseline(
      baseline.url,
      makeContext(baseline, settings)
    )
    #expect(measured.warnings.count == 2)
    #expect(measured.values["perplexity_standard_error"] == nil)
  }

  @Test("settings that cannot work are found before anything runs")
  func checking() {
    let paths = RecipePaths(recipeFolder: FileManager.default.temporaryDirectory)
    var settings = makeSettings()
    #expect(TextEvaluator().check(settings, paths: paths).isEmpty)
    settings.tokens = 20
    #expect(TextEvaluator().check(settings, paths: paths).map(\.option) == ["tokens"])
    settings.tokens = nil
    settings.protocol = .llamaCPP
    settings.context = 2
    #expect(TextEvaluator().check(settings, paths: paths).map(\.option) == ["context"])
    settings.context = 32
    settings.perplexity = .file(InputPath("absent-\(UUID()).txt"))
    #expect(TextEvaluator().check(settings, paths: paths).map(\.option) == ["perplexity"])
  }

  private func makeSettings() -> EvaluationSettings {
    var settings = EvaluationSettings()
    settings.context = 32
    settings.tokens = 230
    return settings
  }

  private func makeContext(
    _ model: GoldenModelCopy,
    _ settings: EvaluationSettings? = nil
  ) -> EvaluationContext {
    EvaluationContext(
      settings: settings ?? makeSettings(),
      paths: RecipePaths(recipeFolder: model.url),
      baseline: model.url,
      referenceFolder: model.url.appending(path: "reference"),
      seed: 0
    )
  }
}
