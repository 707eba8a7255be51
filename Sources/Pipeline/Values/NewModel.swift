import Models

/// A model that has not been trained, as a recipe describes it.
///
/// What is nil is taken from ``config``, or has the default that the field documents.
public struct NewModel: OptionGroup {
  /// A config.json with everything that is not given beside it.
  public var config: InputPath?
  /// The family.
  public var family: ModelFamily?
  /// The width of the residual stream.
  public var hiddenSize: Int?
  /// The number of decoder blocks.
  public var layers: Int?
  /// The number of query heads.
  public var heads: Int?
  /// The number of key and value heads.
  public var keyValueHeads: Int?
  /// The number of channels per head.
  public var headSize: Int?
  /// The width of the feed-forward layer.
  public var feedForwardSize: Int?
  /// The number of rows of the embedding.
  public var vocabularySize: Int?
  /// The longest sequence, in tokens.
  public var contextLength: Int?
  /// Whether the head is the embedding.
  public var tieEmbeddings: Bool?
  /// What normalizations add to the mean square.
  public var normEpsilon: Double?
  /// The base of the rotary embedding.
  public var ropeTheta: Double?
  /// The standard deviation of the random weights.
  public var initializerRange = 0.02
  /// The tokenizer.
  public var tokenizer = TokenizerInput.trained(TokenizerTraining())

  /// Creates a description that says nothing.
  public init() {}

  /// What sizes can be; products of the largest still count exactly.
  enum Limits {
    static let width = 1...65_536
    static let layers = 1...1000
    static let heads = 1...4096
    static let wide = 1...1_048_576
    static let vocabulary = 1...16_777_216
    static let context = 1...1_073_741_824
  }

  /// The options.
  public static var fields: [Field<NewModel>] {
    [
      .field(
        "config",
        \.config,
        "A config.json of Hugging Face's form for everything that is not given beside it."
      ),
      .field("family", \.family, "The architecture. By default that of `config`, or `llama`."),
      .field("hidden_size", \.hiddenSize, in: Limits.width, "The width of the residual stream."),
      .field("layers", \.layers, in: Limits.layers, "The number of decoder blocks."),
      .field("heads", \.heads, in: Limits.heads, "The number of query heads."),
      .field(
        "key_value_heads",
        \.keyValueHeads,
        in: Limits.heads,
        "The number of key and value heads, a divisor of `heads`. By default that of `config`, or "
          + "`heads`."
      ),
      .field(
        "head_size",
        \.headSize,
        in: 2...4096,
        "Channels per head, an even number. By default that of `config`, or `hidden_size / heads`."
      ),
      .field(
        "feed_forward_size",
        \.feedForwardSize,
        in: Limits.wide,
        "The width of the feed-forward layer."
      ),
      .field(
        "vocabulary_size",
        \.vocabularySize,
        in: Limits.vocabulary,
        "The number of tokens. By default that of `config`, or of the tokenizer if one is given."
      ),
      .field(
        "context_length",
        \.contextLength,
        in: Limits.context,
        "The longest sequence the model is made for, in tokens."
      ),
      .field(
        "tie_embeddings",
        \.tieEmbeddings,
        "Whether the head is the embedding. By default as in `config`, or `true`."
      ),
      .field(
        "norm_epsilon",
        \.normEpsilon,
        in: .between(0, 1),
        "What normalizations add to the mean square. By default that of `config`, or 1e-6."
      ),
      .field(
        "rope_theta",
        \.ropeTheta,
        in: .above(1),
        "The base of the rotary embedding. By default that of `config`, or 10000."
      ),
      .field(
        "initializer_range",
        \.initializerRange,
        in: .above(0, through: 1),
        "The standard deviation of the random weights. Of `o_proj` and `down_proj` it is divided by "
          + "the root of twice the number of layers. Normalizations begin as 1, biases as 0."
      ),
      .required("tokenizer", \.tokenizer, "The tokenizer: one that there is, or a new one."),
    ]
  }
}
