import Foundation
import Models
import Tensor
import TestSupport
import Testing

@Suite("Low-rank adapters")
struct AdapterTests {
  private static let tokens: [Int32] = (0..<40).map { Int32($0 * 37 % 260) }

  private static func logits(_ model: LanguageModel) -> Tensor {
    model.logits(model.hidden([tokens]))
  }

  /// A model whose attention has adapters that do something.
  private static func adapted(
    _ variant: TinyModel.Variant = .init()
  ) throws -> (files: TinyModel, model: LanguageModel, adapters: [LowRankAdapter]) {
    let files = try TinyModel(variant)
    let model = try files.load()
    let adapters = model.addAdapters(rank: 4, alpha: 8, seed: 3) { $0.contains("self_attn") }
    var random = Random(seed: 5)
    for adapter in adapters { adapter.up.value = random.normal(adapter.up.shape, deviation: 0.1) }
    return (files, model, adapters)
  }

  @Test("add nothing before training")
  func start() throws {
    let files = try TinyModel()
    let (plain, model) = (try files.load(), try files.load())
    let adapters = model.addAdapters(rank: 2, alpha: 4, seed: 1) { $0.hasSuffix("q_proj") }
    #expect(adapters.count == 2)
    #expect(difference(Self.logits(model), Self.logits(plain)) == nil)
  }

  @Test("merged they give the same model", arguments: [false, true])
  func merging(hasBias: Bool) throws {
    let (files, model, _) = try Self.adapted(.init(hasBias: hasBias))
    let apart = Self.logits(model)
    model.mergeAdapters()
    let merged = Self.logits(model)
    let scale = apart.largestMagnitude()
    #expect(difference(merged, apart, absolute: 1e-5 * scale) == nil)
    let plain = Self.logits(try files.load())
    #expect(difference(merged, plain, absolute: 1e-2 * scale) != nil)
  }

  @Test("are trained alone, through the rest of the model")
  func gradients() throws {
    let (files, model, adapters) = try Self.adapted(.init(hasBias: true))
    defer { withExtendedLifetime(files) {} }
    let parameters = adapters.flatMap(\.parameters)
    let targets = Array(Self.tokens.dropFirst()) + [-1]
    func loss() -> Tensor { model.trainingLoss(Self.tokens, targets: targets, rows: 1) }
    let (_, gradients) = differentiate(parameters, loss)
    #expect(gradients.count == parameters.count)
    // Against a difference quotient along the gradient itself.
    let first = adapters[0].down
    let gradient = try #require(gradients[first])
    let step = 1e-3 / gradient.sumOfSquares().squareRoot()
    let value = first.value
    first.value = value + gradient.scaled(by: step)
    let above = loss().scalar
    first.value = value - gradient.scaled(by: step)
    let below = loss().scalar
    let slope = (above - below) / (2 * step)
    #expect(abs(slope / gradient.sumOfSquares() - 1) < 1e-2)
  }

  @Test("drop the same inputs when a block is computed again")
  func dropout() throws {
    let files = try TinyModel()
    let model = try files.load()
    let adapters = model.addAdapters(rank: 4, alpha: 8, dropout: 0.5, seed: 3) {
      $0.contains("mlp")
    }
    var random = Random(seed: 5)
    for adapter in adapters { adapter.up.value = random.normal(adapter.up.shape, deviation: 0.1) }
    let parameters = adapters.flatMap(\.parameters)
    let targets = Array(Self.tokens.dropFirst()) + [-1]
    func gradients(_ recomputation: Recomputation, seed: UInt64) -> Gradients {
      model.setDropoutSeed(seed)
      return differentiate(parameters) {
        model.trainingLoss(Self.tokens, targets: targets, rows: 1, recomputation: recomputation)
      }.gradients
    }
    let (plain, again) = (gradients(.none, seed: 1), gradients(.blocks, seed: 1))
    let other = gradients(.none, seed: 2)
    for parameter in parameters {
      let one = try #require(plain[parameter])
      #expect(difference(try #require(again[parameter]), one) == nil)
      #expect(difference(try #require(other[parameter]), one) != nil)
    }
    // Not dropped outside of training.
    #expect(difference(Self.logits(model), Self.logits(model)) == nil)
  }

  @Test("are saved under the names that PEFT looks for")
  func saving() throws {
    let (files, _, adapters) = try Self.adapted()
    let folder = files.result("adapter")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try AdapterWriter.write(adapters, base: "tiny", to: folder)
    let json = try JSONDecoder().decode(
      JSONValue.self,
      from: Data(contentsOf: folder.appending(path: "adapter_config.json"))
    )
    #expect(json["r"]?.integer == 4)
    #expect(json["lora_alpha"]?.number == 8)
    #expect(json["target_modules"]?.array?.count == adapters.count)
    let bytes = try Data(contentsOf: folder.appending(path: "adapter_model.safetensors"))
    let name = "base_model.model.model.layers.1.self_attn.o_proj.lora_B.weight"
    #expect(bytes.range(of: Data(name.utf8)) != nil)
  }
}
