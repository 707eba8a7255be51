/// The sizes and options of a decoder-only language model, whatever file they were read from.
public struct ModelConfiguration: Sendable, Hashable {
  /// The family, which fixes names and conventions.
  public var architecture: Architecture
  /// The width `D` of the residual stream.
  public var hiddenSize: Int
  /// The number of decoder blocks.
  public var layerCount: Int
  /// The width `F` of the feed-forward layer.
  public var feedForwardSize: Int
  /// The number `H` of query heads.
  public var queryHeads: Int
  /// The number `K` of key and value heads; it divides the number of query heads.
  public var keyHeads: Int
  /// The number `C` of channels per head.
  public var headSize: Int
  /// The number `V` of rows of the embedding.
  public var vocabularySize: Int
  /// The longest sequence the model was trained for, in tokens.
  public var contextLength: Int
  /// What the normalizations add to the mean square.
  public var normEpsilon: Double
  /// The rotary position embedding.
  public var rotary: RotaryConfiguration
  /// Whether the head multiplies by the embedding.
  public var tiesEmbeddings: Bool
  /// Whether the query, key and value projections have biases.
  public var hasQueryKeyValueBias = false
  /// Whether the attention's output projection has a bias.
  public var hasAttentionOutputBias = false
  /// Whether the feed-forward projections have biases.
  public var hasFeedForwardBias = false
  /// Whether each query and key head is normalized before the rotation.
  public var hasQueryKeyNorm = false
  /// How many positions back attention reaches, the own one included; nil for all.
  public var slidingWindow: Int?
  /// The token that begins a text, if the model uses one.
  public var beginningOfText: Int32?
  /// The tokens that end a text.
  public var endOfText: [Int32] = []

  /// The names of the properties in which this configuration differs from another.
  package func differences(from other: ModelConfiguration) -> [String] {
    guard self != other else { return [] }
    return zip(Mirror(reflecting: self).children, Mirror(reflecting: other).children).compactMap {
      "\($0.value)" == "\($1.value)" ? nil : $0.label
    }
  }

  /// The number of weights, biases included and a tied head counted once.
  public var parameterCount: Int {
    let queries = queryHeads * headSize
    let keys = keyHeads * headSize
    var block = hiddenSize * (2 * queries + 2 * keys) + 3 * hiddenSize * feedForwardSize
    block += 2 * hiddenSize
    if hasQueryKeyValueBias { block += queries + 2 * keys }
    if hasAttentionOutputBias { block += hiddenSize }
    if hasFeedForwardBias { block += 2 * feedForwardSize + hiddenSize }
    if hasQueryKeyNorm { block += 2 * headSize }
    let embeddings = (tiesEmbeddings ? 1 : 2) * vocabularySize * hiddenSize
    return embeddings + layerCount * block + hiddenSize
  }
}
