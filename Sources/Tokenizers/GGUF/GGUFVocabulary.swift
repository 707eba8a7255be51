/// The vocabulary of a GGUF file: the metadata under `tokenizer.ggml`.
public struct GGUFVocabulary: Sendable {
  /// What a token is for, with the numbers GGUF files use.
  public enum TokenType: Int32, Sendable {
    /// Found by the model.
    case normal = 1
    /// Stands for what cannot be expressed.
    case unknown = 2
    /// Steers the model; found in the text as it is, skipped in decoding when asked to.
    case control = 3
    /// Found in the text as it is.
    case userDefined = 4
    /// Never found.
    case unused = 5
    /// Stands for one byte.
    case byte = 6
  }

  /// `model`: `gpt2` for byte-level BPE, `llama` for SentencePiece's BPE.
  public var model: String
  /// `pre`: the name of the pre-tokenizer of a `gpt2` model.
  public var pre: String?
  /// `tokens`: the tokens by id.
  public var tokens: [String]
  /// `scores`: of a `llama` model, the score of each token.
  public var scores: [Float]
  /// `token_type`: a ``TokenType`` for each token, or empty if all are normal.
  public var tokenTypes: [Int32]
  /// `merges`: of a `gpt2` model, pairs of tokens with a space between, by rank.
  public var merges: [String]
  /// `bos_token_id`.
  public var beginningOfText: Int32?
  /// `eos_token_id`.
  public var endOfText: Int32?
  /// `unknown_token_id`.
  public var unknown: Int32?
  /// `padding_token_id`.
  public var padding: Int32?
  /// `add_bos_token`.
  public var addsBeginningOfText: Bool?
  /// `add_eos_token`.
  public var addsEndOfText: Bool?
  /// `add_space_prefix`, of a `llama` model.
  public var addsSpacePrefix: Bool?

  /// Creates a vocabulary; the properties say what each value is.
  ///
  /// - Parameters:
  ///   - model: `gpt2` or `llama`.
  ///   - pre: The name of the pre-tokenizer of a `gpt2` model.
  ///   - tokens: The tokens by id.
  ///   - scores: Of a `llama` model, the score of each token.
  ///   - tokenTypes: A ``TokenType`` for each token, or empty if all are normal.
  ///   - merges: Of a `gpt2` model, pairs of tokens with a space between, by rank.
  ///   - beginningOfText: The id of the token that starts a text.
  ///   - endOfText: The id of the token that ends a text.
  ///   - unknown: The id of the token for what cannot be expressed.
  ///   - padding: The id of the token that fills batches.
  ///   - addsBeginningOfText: Whether special tokens include the one that starts a text.
  ///   - addsEndOfText: Whether special tokens include the one that ends a text.
  ///   - addsSpacePrefix: Whether a `llama` model puts a space before a text.
  public init(
    model: String,
    pre: String? = nil,
    tokens: [String],
    scores: [Float] = [],
    tokenTypes: [Int32] = [],
    merges: [String] = [],
    beginningOfText: Int32? = nil,
    endOfText: Int32? = nil,
    unknown: Int32? = nil,
    padding: Int32? = nil,
    addsBeginningOfText: Bool? = nil,
    addsEndOfText: Bool? = nil,
    addsSpacePrefix: Bool? = nil
  ) {
    self.model = model
    self.pre = pre
    self.tokens = tokens
    self.scores = scores
    self.tokenTypes = tokenTypes
    self.merges = merges
    self.beginningOfText = beginningOfText
    self.endOfText = endOfText
    self.unknown = unknown
    self.padding = padding
    self.addsBeginningOfText = addsBeginningOfText
    self.addsEndOfText = addsEndOfText
    self.addsSpacePrefix = addsSpacePrefix
  }
}
