internal import Foundation
internal import Tensor

/// Puts a model together from its configuration and its tensors, checking every shape.
struct ModelBuilder {
  let configuration: ModelConfiguration
  let source: any WeightSource

  /// Makes the model; reads vectors, and of matrices only the descriptions.
  func build(companions: ModelCompanions) throws -> LanguageModel {
    let model = configuration
    let embedding = try linear("model.embed_tokens", model.vocabularySize, model.hiddenSize, false)
    var blocks: [DecoderBlock] = []
    for index in 0..<model.layerCount { blocks.append(try block(index)) }
    let next = "model.layers.\(model.layerCount).mlp.down_proj"
    guard !source.contains(next) else {
      throw ModelError(
        .inconsistent,
        "the weights have more layers than the configuration's \(model.layerCount)",
        at: "\(companions.origin.path): \(next)",
        remedy: "configuration and weights belong to different models"
      )
    }
    let head =
      model.tiesEmbeddings
      ? nil : try linear("lm_head", model.vocabularySize, model.hiddenSize, false)
    return LanguageModel(
      configuration: model,
      embedding: embedding,
      blocks: blocks,
      finalNorm: try norm("model.norm", model.hiddenSize),
      untiedHead: head,
      companions: companions
    )
  }

  private func block(_ index: Int) throws -> DecoderBlock {
    let prefix = "model.layers.\(index)"
    return DecoderBlock(
      index: index,
      attentionNorm: try norm("\(prefix).input_layernorm", configuration.hiddenSize),
      attention: try attention("\(prefix).self_attn"),
      feedForwardNorm: try norm("\(prefix).post_attention_layernorm", configuration.hiddenSize),
      feedForward: try feedForward("\(prefix).mlp")
    )
  }

  private func attention(_ prefix: String) throws -> SelfAttention {
    let model = configuration
    let queries = model.queryHeads * model.headSize
    let keys = model.keyHeads * model.headSize
    let biased = model.hasQueryKeyValueBias
    return SelfAttention(
      query: try linear("\(prefix).q_proj", queries, model.hiddenSize, biased),
      key: try linear("\(prefix).k_proj", keys, model.hiddenSize, biased),
      value: try linear("\(prefix).v_proj", keys, model.hiddenSize, biased),
      output: try linear(
        "\(prefix).o_proj",
        model.hiddenSize,
        queries,
        model.hasAttentionOutputBias
      ),
      queryNorm: model.hasQueryKeyNorm ? try norm("\(prefix).q_norm", model.headSize) : nil,
      keyNorm: model.hasQueryKeyNorm ? try norm("\(prefix).k_norm", model.headSize) : nil
    )
  }

  private func feedForward(_ prefix: String) throws -> FeedForward {
    let (wide, narrow) = (configuration.feedForwardSize, configuration.hiddenSize)
    let biased = configuration.hasFeedForwardBias
    return FeedForward(
      gate: try linear("\(prefix).gate_proj", wide, narrow, biased),
      up: try linear("\(prefix).up_proj", wide, narrow, biased),
      down: try linear("\(prefix).down_proj", narrow, wide, biased)
    )
  }

  private func linear(
    _ name: String,
    _ rows: Int,
    _ columns: Int,
    _ isBiased: Bool
  ) throws -> Linear {
    Linear(
      name: name,
      stored: try source.matrix(name, rows: rows, columns: columns),
      bias: isBiased ? try source.vector("\(name).bias", count: rows) : nil
    )
  }

  private func norm(_ name: String, _ count: Int) throws -> Normalization {
    Normalization(
      name: name,
      weight: try source.vector("\(name).weight", count: count),
      epsilon: configuration.normEpsilon
    )
  }
}
