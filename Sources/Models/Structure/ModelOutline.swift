public import Tensor

/// What a model is made of, known from headers alone.
public struct ModelOutline: Sendable {
  /// One tensor-valued part of a model.
  public struct Part: Sendable {
    /// The module's name, such as `model.layers.0.self_attn.q_proj`.
    public let name: String
    /// `[outputs, inputs]`, or `[channels]` for a normalization.
    public let shape: Shape
    /// How the numbers are stored.
    public let format: WeightFormat
    /// Whether it is a weight matrix: a linear layer of a block, the embedding or the head.
    public let isLinear: Bool
    /// Whether the part has a bias beside its matrix.
    public let hasBias: Bool
    /// How the inputs of a matrix are quantized; nil if they are not.
    public let activation: ActivationQuantization.Kind?

    /// The size of the numbers in bytes, a bias not counted.
    public var byteCount: Int {
      format.byteCount(rows: shape.rank == 1 ? 1 : shape.rows, columns: shape.columns)
    }
  }

  /// Sizes and options.
  public let configuration: ModelConfiguration
  /// Embedding, blocks in order, final normalization, head if it is its own.
  public let parts: [Part]
}

extension LanguageModel {
  /// What the model is made of at present; reads nothing.
  public var outline: ModelOutline {
    let norm = { (norm: Normalization) in
      ModelOutline.Part(
        name: norm.name,
        shape: norm.weight.shape,
        format: .elements(norm.weight.dtype),
        isLinear: false,
        hasBias: false,
        activation: nil
      )
    }
    let matrix = { (linear: Linear) in
      ModelOutline.Part(
        name: linear.name,
        shape: [linear.rows, linear.columns],
        format: linear.format,
        isLinear: true,
        hasBias: linear.bias != nil,
        activation: linear.activation?.kind
      )
    }
    var parts = [matrix(embedding)]
    for block in blocks {
      parts += block.norms.map(norm) + block.linears.map(matrix)
    }
    parts.append(norm(finalNorm))
    if let untiedHead { parts.append(matrix(untiedHead)) }
    return ModelOutline(configuration: configuration, parts: parts)
  }
}
