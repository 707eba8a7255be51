import Foundation
import Models
import Tensor
import TestSupport
import Testing
import Tokenizers

@Suite("Models that have not been trained")
struct UntrainedModelTests {
  private let tiny: TinyModel
  private let tokenizer: NewTokenizer

  init() throws {
    tiny = try TinyModel()
    tokenizer = try NewTokenizer(folder: tiny.url)
  }

  /// A configuration of a family, with grouped heads.
  private static func configuration(_ family: String, layers: Int = 2) throws -> ModelConfiguration
  {
    try ModelConfiguration(
      json: .object([
        "model_type": .string(family), "hidden_size": .integer(96),
        "num_hidden_layers": .integer(layers), "intermediate_size": .integer(160),
        "num_attention_heads": .integer(6), "num_key_value_heads": .integer(2),
        "vocab_size": .integer(300), "max_position_embeddings": .integer(64),
        "tie_word_embeddings": .bool(family != "qwen3"),
      ]),
      file: "config.json"
    )
  }

  private func model(_ family: String, layers: Int = 2, seed: UInt64 = 3) throws -> LanguageModel {
    try LanguageModel.untrained(
      Self.configuration(family, layers: layers),
      tokenizer: tokenizer,
      seed: seed
    )
  }

  private func files(_ folder: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      files[name] = try Data(contentsOf: folder.appending(path: name))
    }
    return files
  }

  @Test("the same seed gives the same files, another seed other weights")
  func seeds() throws {
    let saved = try [UInt64(3), 3, 4].map { seed in
      let folder = try TemporaryFolder()
      try ModelWriter(model("llama", seed: seed), to: folder.url).finish()
      return try files(folder.url)
    }
    #expect(saved[0] == saved[1])
    #expect(saved[0]["config.json"] == saved[2]["config.json"])
    for name in saved[0].keys where name.hasSuffix(".safetensors") {
      #expect(saved[0][name] != saved[2][name], "\(name)")
    }
  }

  @Test("what is read first changes no weight, and no two matrices are alike")
  func order() throws {
    let (forwards, backwards) = try (model("qwen3"), model("qwen3"))
    let last = backwards.matrices.reversed().map { $0.weight.dense.elements(as: Float.self) }
    let first = forwards.matrices.map { $0.weight.dense.elements(as: Float.self) }
    #expect(first == last.reversed())
    #expect(Set(first.map { Array($0.prefix(8)) }).count == first.count)
  }

  @Test("matrices are normal; those that end residual branches narrower", arguments: [1, 4])
  func statistics(layers: Int) throws {
    for matrix in try model("qwen2", layers: layers).matrices {
      let elements = matrix.weight.dense.elements(as: Float.self).map(Double.init)
      let count = Double(elements.count)
      let endsBranch = matrix.name.hasSuffix("o_proj") || matrix.name.hasSuffix("down_proj")
      let deviation = endsBranch ? 0.02 / Double(2 * layers).squareRoot() : 0.02
      let mean = elements.reduce(0, +) / count
      let moments = elements.reduce(into: (second: 0.0, fourth: 0.0)) { sums, element in
        let square = (element - mean) * (element - mean)
        sums.second += square / count
        sums.fourth += square * square / count
      }
      // Five standard errors of mean, variance and kurtosis.
      #expect(abs(mean) < 5 * deviation / count.squareRoot(), "\(matrix.name)")
      let excess = moments.second / (deviation * deviation) - 1
      #expect(abs(excess) < 5 * (2 / count).squareRoot(), "\(matrix.name)")
      let kurtosis = moments.fourth / (moments.second * moments.second)
      #expect(abs(kurtosis - 3) < 5 * (24 / count).squareRoot(), "\(matrix.name)")
      #expect(matrix.format == .elements(.float32))
    }
  }

  @Test("normalizations are 1 and biases 0")
  func vectors() throws {
    let model = try model("qwen2")
    for norm in try model.norms + self.model("qwen3").norms {
      #expect(norm.weight.elements(as: Float.self).allSatisfy { $0 == 1 }, "\(norm.name)")
    }
    let biases = model.linears.compactMap(\.bias)
    #expect(biases.count == 6)
    #expect(biases.allSatisfy { $0.elements(as: Float.self).allSatisfy { $0 == 0 } })
  }

  @Test(
    "saved and opened again, they are the same model",
    arguments: ["llama", "mistral", "qwen2", "qwen3"]
  )
  func roundTrip(family: String) throws {
    let folder = try TemporaryFolder()
    let model = try model(family)
    let tokens: [Int32] = [5, 250, 7, 90, 263]
    let before = model.logits(model.hidden([tokens]))
    #expect(before.elements(as: Float.self).allSatisfy { $0.isFinite })
    try ModelWriter(model, to: folder.url).finish()
    let saved = try ModelLoader.load(folder.url)
    #expect(saved.configuration == model.configuration)
    #expect(saved.outline.parts.map(\.name) == model.outline.parts.map(\.name))
    let after = saved.logits(saved.hidden([tokens]))
    #expect(after.elements(as: Float.self) == before.elements(as: Float.self))
    #expect(try saved.tokenizer().encode("the end") == tiny.load().tokenizer().encode("the end"))
    #expect(try saved.companions.chatTemplate() == "{{ messages[0]['content'] }}")
  }

  @Test("what ends a text is what the tokenizer says, and a window that there is none")
  func descriptions() throws {
    let mistral = try model("mistral")
    #expect(mistral.configuration.endOfText == [0])
    let json = mistral.companions.configuration
    #expect(json["eos_token_id"] == .integer(0))
    #expect(json["bos_token_id"] == .null)
    #expect(json["sliding_window"] == .null)
    let files = Dictionary(
      uniqueKeysWithValues: try mistral.companions.files.map {
        ($0.name, try JSONDecoder().decode(JSONValue.self, from: $0.read()))
      }
    )
    #expect(files["generation_config.json"]?["eos_token_id"] == .integer(0))
    #expect(files["tokenizer_config.json"]?["eos_token"] == .string("<|end|>"))
    #expect(files["tokenizer_config.json"]?["model_max_length"] == .integer(64))
  }

  @Test("a tokenizer alone says nothing about ends; one with too many tokens is refused")
  func tokenizers() throws {
    let alone = try NewTokenizer(file: tiny.url.appending(path: "tokenizer.json"))
    #expect(alone.tokenCount == 264)
    var configuration = try Self.configuration("llama")
    let model = try LanguageModel.untrained(configuration, tokenizer: alone, seed: 1)
    #expect(model.configuration.endOfText.isEmpty)
    configuration.vocabularySize = 263
    let error = #expect(throws: ModelError.self) {
      try LanguageModel.untrained(configuration, tokenizer: alone, seed: 1)
    }
    #expect(error?.code == .inconsistent)
  }
}
