import Foundation
import Models
import Tensor
import TestSupport
import Testing

@Suite("Coupled channels")
struct StructureTests {
  private static let tokens: [[Int32]] = [[5, 17, 200, 3, 99, 42, 7, 150]]

  private static let variants: [TinyModel.Variant] = [
    .init(), .init(tiesEmbeddings: false), .init(hasBias: true),
  ]

  /// Which of a set's members are set to zero.
  enum Zeroed: CaseIterable { case sources, users, all }

  private func logits(_ model: LanguageModel) -> Tensor { model.logits(model.hidden(Self.tokens)) }

  /// Saves the model with channels set to zero, and opens it again.
  private func zeroed(
    _ tiny: TinyModel,
    _ structure: RemainingStructure,
    _ which: Zeroed
  ) throws -> LanguageModel {
    let model = try tiny.load()
    for coupled in model.configuration.coupledChannels {
      guard let kept = structure.channels[coupled.axis] else { continue }
      for member in coupled.members {
        let isMeant =
          switch which {
          case .sources: member.isSource
          case .users: !member.isSource
          case .all: true
          }
        guard isMeant else { continue }
        let removed = (0..<coupled.count * member.width).filter {
          !kept.contains($0 / member.width)
        }
        for linear in model.matrices where linear.name == member.part {
          var weight = linear.weight.dense.elements(as: Float.self)
          for index in removed {
            if member.side == .outputs {
              for column in 0..<linear.columns { weight[index * linear.columns + column] = 0 }
            } else {
              for row in 0..<linear.rows { weight[row * linear.columns + index] = 0 }
            }
          }
          linear.weight = DenseWeight(Tensor(weight, shape: [linear.rows, linear.columns]))
        }
      }
    }
    return model
  }

  @Test(
    "removing neurons or key groups equals zeroing what makes them, and what uses them",
    arguments: StructureTests.variants,
    Zeroed.allCases
  )
  func blockChannels(_ variant: TinyModel.Variant, _ which: Zeroed) throws {
    // A bias makes a channel beside its matrix, which only the users' zeros undo.
    if variant.hasBias && which == .sources { return }
    let tiny = try TinyModel(variant)
    let model = try tiny.load()
    var random = TinyRandom(seed: 3)
    var structure = RemainingStructure(model.configuration)
    for block in 0..<2 {
      structure.channels[.feedForward(block: block)] =
        Array((0..<96).shuffled(using: &random).prefix(37)).sorted()
      structure.channels[.keyGroups(block: block)] = [block]
    }
    let small = model.reduced(to: structure)
    #expect(small.configuration.feedForwardSize == 37)
    #expect(small.configuration.queryHeads == 2)
    #expect(small.configuration.keyHeads == 1)
    #expect(small.configuration.headSize == 16)
    let expected = logits(try zeroed(tiny, structure, which))
    #expect(difference(logits(small), expected, relative: 1e-5, absolute: 1e-5) == nil)
  }

  @Test(
    "removing channels of the residual stream equals zeroing them",
    arguments: StructureTests.variants
  )
  func hiddenChannels(_ variant: TinyModel.Variant) throws {
    // A bias puts something into the stream beside the matrix.
    guard !variant.hasBias else { return }
    let tiny = try TinyModel(variant)
    let model = try tiny.load()
    var random = TinyRandom(seed: 4)
    var structure = RemainingStructure(model.configuration)
    structure.channels[.hidden] = Array((0..<64).shuffled(using: &random).prefix(40)).sorted()
    let small = model.reduced(to: structure)
    #expect(small.configuration.hiddenSize == 40)
    let expected = logits(try zeroed(tiny, structure, .sources))
    #expect(difference(logits(small), expected, relative: 1e-5, absolute: 1e-5) == nil)
  }

  @Test("a model without some blocks is the model that skips them", arguments: variants)
  func blocks(_ variant: TinyModel.Variant) throws {
    let model = try TinyModel(variant).load()
    var structure = RemainingStructure(model.configuration)
    structure.blocks = [1]
    let small = model.reduced(to: structure)
    #expect(small.linears.first?.name == "model.layers.0.self_attn.q_proj")
    let stream = model.steps(ofBlock: 1, positions: 8)(model.embedded(Self.tokens))
    let expected = model.logits(model.finalNorm(stream))
    #expect(difference(logits(small), expected) == nil)
  }

  @Test("a saved smaller model is read with the same numbers and sizes", arguments: variants)
  func saving(_ variant: TinyModel.Variant) throws {
    let tiny = try TinyModel(variant)
    let model = try tiny.load()
    var structure = RemainingStructure(model.configuration)
    structure.channels[.hidden] = Array(0..<48)
    structure.channels[.feedForward(block: 0)] = Array(3..<67)
    structure.channels[.feedForward(block: 1)] = Array(32..<96)
    structure.channels[.keyGroups(block: 0)] = [1]
    structure.channels[.keyGroups(block: 1)] = [0]
    let small = model.reduced(to: structure)
    let folder = tiny.result("small")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let expected = logits(small)
    try ModelWriter(small, to: folder).finish()
    let read = try ModelLoader.load(folder)
    #expect(read.configuration == structure.configuration)
    #expect(
      read.parameterCount == read.outline.parts.reduce(biasCount(read)) { $0 + $1.shape.count }
    )
    #expect(difference(logits(read), expected) == nil)
  }

  private func biasCount(_ model: LanguageModel) -> Int {
    model.matrices.reduce(0) { $0 + ($1.bias?.count ?? 0) }
  }

  @Test("lists with an entry a layer, and only those, follow the blocks")
  func configurationFile() throws {
    let tiny = try TinyModel()
    let url = tiny.url.appending(path: "config.json")
    var json = try JSONDecoder().decode(JSONValue.self, from: Data(contentsOf: url))
    json["layer_types"] = .array([.string("first"), .string("full_attention")])
    json["eos_token_id"] = .array([.integer(0), .integer(1)])
    json["max_window_layers"] = .integer(1)
    try json.text().write(to: url)
    let model = try tiny.load()
    var structure = RemainingStructure(model.configuration)
    structure.blocks = [1]
    let small = model.reduced(to: structure).companions.configuration
    #expect(small["num_hidden_layers"] == .integer(1))
    #expect(small["layer_types"] == .array([.string("full_attention")]))
    #expect(small["eos_token_id"] == .array([.integer(0), .integer(1)]))
    #expect(small["max_window_layers"] == .integer(0))
    #expect(small["head_dim"] == nil)
  }

  @Test("a head size that no longer follows from the width is written down")
  func headSize() throws {
    let model = try TinyModel().load()
    var structure = RemainingStructure(model.configuration)
    for block in 0..<2 { structure.channels[.keyGroups(block: block)] = [0] }
    let small = model.reduced(to: structure).companions.configuration
    #expect(small["head_dim"] == .integer(16))
    #expect(small["num_attention_heads"] == .integer(2))
    #expect(small["num_key_value_heads"] == .integer(1))
  }
}
