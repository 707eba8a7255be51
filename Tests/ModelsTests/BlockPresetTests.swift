import Checkpoints
import Foundation
import Models
import Tensor
import TestSupport
import Testing

@Suite("Block presets")
struct BlockPresetTests {
  struct Model: Decodable {
    var layers, width, wide, heads, keyHeads: Int
    var isTied: Bool
  }
  struct Case: Decodable {
    var model: Model
    var presets: [String: [String]]
  }

  static let letters: [Character: String] = [
    "2": "Q2_K", "3": "Q3_K", "4": "Q4_K", "5": "Q5_K", "6": "Q6_K", "a": "Q4_0", "b": "Q5_0",
    "c": "Q5_1", "8": "Q8_0", "n": "IQ4_NL", "x": "IQ4_XS", "h": "float16",
  ]
  static let matrices = [
    "self_attn.k_proj", "self_attn.o_proj", "self_attn.q_proj", "self_attn.v_proj",
    "mlp.down_proj", "mlp.gate_proj", "mlp.up_proj",
  ]

  @Test("give every matrix the type that llama-quantize plans", arguments: BlockPreset.allCases)
  func types(_ preset: BlockPreset) throws {
    let url = ImportanceMatrixTests.golden("block_presets.json")
    let cases = try JSONDecoder().decode([String: Case].self, from: Data(contentsOf: url))
    #expect(cases.count == 5)
    for (title, golden) in cases {
      var configuration = try TinyModel().load().configuration
      configuration.layerCount = golden.model.layers
      configuration.queryHeads = golden.model.heads
      configuration.keyHeads = golden.model.keyHeads
      configuration.tiesEmbeddings = golden.model.isTied
      let blocks = (0..<golden.model.layers).flatMap { layer in
        Self.matrices.map { "model.layers.\(layer).\($0)" }
      }
      let names = ["model.embed_tokens"] + (golden.model.isTied ? [] : ["lm_head"]) + blocks
      for (index, expected) in try #require(golden.presets[preset.rawValue]).enumerated() {
        let types = names.map { name in
          preset.choice(
            for: name,
            columns: name.hasSuffix("down_proj") ? golden.model.wide : golden.model.width,
            in: configuration,
            hasImportance: index == 1
          ).stored.description
        }
        #expect(types == expected.map { Self.letters[$0] ?? "?" }, "\(title) \(index)")
      }
    }
  }
}
