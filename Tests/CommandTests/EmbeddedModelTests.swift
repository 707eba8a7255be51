import Datasets
import Evaluate
import Foundation
import Models
import Tensor
import Testing
import Tokenizers

/// The model that comes with the project, trained by recipes/stories-2m.yaml.
@Suite("The embedded model")
struct EmbeddedModelTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "recipes/models/stories-2m")

  @Test("predicts stories that it has not seen")
  func perplexity() throws {
    let model = try ModelLoader.load(Self.folder)
    #expect(model.parameterCount == 2_361_408)
    let text = try TextSource("builtin:stories:validation:12").read()
    let windows = try TokenWindows(model.tokenizer().encode(text), length: 128, source: "stories")
    var (sum, count) = (0.0, 0)
    for index in 0..<windows.count {
      let tokens = windows[index]
      let targets = Array(tokens.dropFirst()) + [-1]
      sum += model.trainingLoss(tokens, targets: targets, rows: 1).scalar * 127
      count += 127
    }
    // Where it says nothing of its own the loss would be that of single tokens, about 6.
    #expect(count > 2000)
    #expect(sum / Double(count) < 1.8)
  }

  @Test("goes on writing")
  func generation() throws {
    let model = try ModelLoader.load(Self.folder)
    let tokenizer = try model.tokenizer()
    let prompt = try tokenizer.encode("One morning, Tom")
    let tokens = try model.generate(from: prompt, count: 24, sampling: Sampling())
    let text = try tokenizer.decode(tokens)
    #expect(text.split(separator: " ").count > 8)
  }

  @Test("learns a text by heart through adapters, and its own weights stay")
  func adapters() throws {
    let model = try ModelLoader.load(Self.folder)
    let before = model.linears[0].weight.dense.elements(as: Float.self)
    let adapters = model.addAdapters(rank: 4, alpha: 8, seed: 1) { $0.contains("mlp") }
    let tokens = try model.tokenizer().encode("The quick brown fox jumps over the lazy dog.")
    let targets = Array(tokens.dropFirst()) + [-1]
    let parameters = adapters.flatMap(\.parameters)
    func loss() -> Tensor { model.trainingLoss(tokens, targets: targets, rows: 1) }
    let start = loss().scalar
    for _ in 0..<30 {
      let (_, gradients) = differentiate(parameters, loss)
      for parameter in parameters {
        guard let gradient = gradients[parameter] else { continue }
        parameter.update { $0.add(gradient, scale: -0.3) }
      }
    }
    #expect(loss().scalar < start - 0.5)
    #expect(model.linears[0].weight.dense.elements(as: Float.self) == before)
  }
}
