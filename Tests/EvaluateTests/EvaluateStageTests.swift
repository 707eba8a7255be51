import Checkpoints
import Foundation
import Models
import Pipeline
import Testing

@testable import Evaluate

@Suite("The stage evaluate")
struct EvaluateStageTests {
  @Test("the model is measured on the stage's own text, against the stage's own reference")
  func running() throws {
    let (tiny, other) = (try GoldenModelCopy(), try GoldenModelCopy())
    try other.replace("model.layers.1.mlp.gate_proj") { $0[0] += 2 }
    let text = tiny.url.appending(path: "notes.txt")
    try Data(GoldenModelCopy.text(150).utf8).write(to: text)
    var options = EvaluateOptions()
    options.settings.perplexity = .file(InputPath("notes.txt"))
    options.settings.context = 30
    options.reference = ModelPath(other.url.path)
    let context = StageContext(
      modelFolder: tiny.url,
      seed: 1,
      folder: tiny.url,
      exportURL: tiny.url,
      paths: RecipePaths(recipeFolder: tiny.url)
    )
    let report = try EvaluateStage(options).run(try tiny.load(), context)
    #expect(report.metrics["evaluated_tokens"] == 145)
    #expect(try #require(report.metrics["kl_mean"]) > 0)
    #expect(report.warnings.isEmpty)
  }

  @Test("settings that cannot work are found before anything runs")
  func checking() throws {
    var promise = ModelPromise(try GoldenModelCopy().load().outline)
    var options = EvaluateOptions()
    #expect(EvaluateStage(options).check(&promise).isEmpty)
    options.settings.tokens = 100
    #expect(EvaluateStage(options).check(&promise).map(\.option) == ["tokens"])
  }

  @Test("size counts whole weight files, every shard once")
  func size() throws {
    let tiny = try GoldenModelCopy("llama-sharded")
    let model = try tiny.load()
    let size = try ModelSize(
      of: CheckpointFolder(tiny.url.path).open(),
      parameterCount: model.parameterCount
    )
    let files = try FileManager.default.contentsOfDirectory(atPath: tiny.url.path)
      .filter { $0.hasSuffix(".safetensors") }
    #expect(files.count == 3)
    let bytes = try files.reduce(0) { sum, file in
      sum + (try Data(contentsOf: tiny.url.appending(path: file)).count)
    }
    #expect(size.byteCount == bytes)
    #expect(size.tensorByteCount == 2 * model.parameterCount)
    #expect(size.tensorBitsPerWeight == 16 && size.bitsPerWeight > 16)
  }
}
