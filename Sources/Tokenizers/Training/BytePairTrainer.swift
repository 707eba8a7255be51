internal import Foundation

/// Makes a byte-level BPE vocabulary from texts.
///
/// Texts are split into words, the words into bytes; then the pair of neighbouring symbols that
/// occurs most often becomes a token, until the vocabulary is large enough. Among pairs that occur
/// equally often the one with the lower left id wins, then the one with the lower right id. Ids
/// are given in this order: special tokens, the 256 bytes by the character that stands for each,
/// merged tokens as they come. All this is what the trainer of the `tokenizers` library does, and
/// the result is the same, merge by merge.
///
/// ```swift
/// let trainer = BytePairTrainer(vocabularySize: 4096, specialTokens: ["<|endoftext|>"])
/// let tokenizer = try trainer.train(texts)
/// try tokenizer.tokenizerJSON().write(to: url)
/// ```
///
/// Source: Sennrich, Haddow and Birch, *Neural Machine Translation of Rare Words with Subword
/// Units*, 2016, arXiv:1508.07909, algorithm 1, on bytes as Radford et al., *Language Models are
/// Unsupervised Multitask Learners*, 2019, section 2.2.
public struct BytePairTrainer: Sendable {
  /// How texts are split into the words that no token reaches beyond.
  public enum Splitting: Sendable, Equatable {
    /// As SmolLM2: each digit alone, the rest by GPT-2's pattern.
    case singleDigits
    /// By GPT-2's pattern.
    case gpt2
    /// By Llama 3's pattern.
    case llama3
    /// At the matches of a regular expression, in the syntax of tokenizer.json; what lies between
    /// two matches is a word too.
    case pattern(String)

    var layout: GGUFLayout {
      switch self {
      case .singleDigits: .init(names: [], steps: [.digits, .byteLevel(usesPattern: true)])
      case .gpt2: .init(names: [], steps: [.byteLevel(usesPattern: true)])
      case .llama3:
        .init(names: [], steps: [.split(Scanner.llama3Pattern3), .byteLevel(usesPattern: false)])
      case .pattern(let pattern):
        .init(names: [], steps: [.split(pattern), .byteLevel(usesPattern: false)])
      }
    }
  }

  /// More tokens than any vocabulary has.
  private static let sizeLimit = 1 << 24

  /// The number of tokens to make, special tokens and bytes included.
  public var vocabularySize: Int
  /// The tokens that mark the parts of a text; they get the first ids, in this order.
  public var specialTokens: [String]
  /// How often a pair must occur to become a token.
  public var minimumFrequency: Int
  /// How texts are split into words.
  public var splitting: Splitting

  /// Creates a trainer.
  ///
  /// - Parameters:
  ///   - vocabularySize: The number of tokens to make, special tokens and bytes included.
  ///   - specialTokens: The tokens that get the first ids.
  ///   - minimumFrequency: How often a pair must occur to become a token.
  ///   - splitting: How texts are split into words.
  public init(
    vocabularySize: Int,
    specialTokens: [String] = [],
    minimumFrequency: Int = 1,
    splitting: Splitting = .singleDigits
  ) {
    self.vocabularySize = vocabularySize
    self.specialTokens = specialTokens
    self.minimumFrequency = minimumFrequency
    self.splitting = splitting
  }

  /// Makes a tokenizer.
  ///
  /// Special tokens are not looked for in the texts: pass what lies between them as texts of
  /// their own. If too few pairs occur, the vocabulary is smaller than asked for.
  ///
  /// - Parameters:
  ///   - texts: The texts.
  ///   - beginningOfText: The special token that starts a text.
  ///   - endOfText: The special token that ends a text.
  /// - Returns: The tokenizer; ``Tokenizer/tokenizerJSON()`` gives the file.
  /// - Throws: ``TokenizerError`` with `training` if the texts are empty, the vocabulary is too
  ///   small or a special token is empty or occurs twice; with `pattern` or `unsupported` if the
  ///   pattern is not one.
  /// - Complexity: O(n) in the texts, then O(m log m) in the pairs of the distinct words, each
  ///   looked at once for every merge it takes part in.
  public func train(
    _ texts: some Sequence<String>,
    beginningOfText: String? = nil,
    endOfText: String? = nil
  ) throws(TokenizerError) -> Tokenizer {
    var tokens = try alphabet()
    let layout = splitting.layout
    let section = try JSONDocument(Array(layout.preTokenizerJSON.utf8), source: "splitting").root
    var counter = WordCounter(try PreTokenizerReader.read(section))
    for text in texts { try counter.add(text) }
    guard counter.words.count > 0 else {
      throw Self.failure("the texts are empty", remedy: "give some text to learn from")
    }
    let symbols = ByteAlphabet.encoded.map { tokens.id($0) ?? 0 }
    var merger = PairMerger(counter, symbols)
    let merges = merger.merge(
      into: &tokens,
      upTo: vocabularySize,
      minimumFrequency: minimumFrequency
    )
    let json = json(layout, tokens, merges)
    return try Tokenizer(
      tokenizerJSON: Data(json.utf8),
      source: "trained tokenizer",
      beginningOfText: beginningOfText,
      endOfText: endOfText
    )
  }

  /// The special tokens and the bytes.
  private func alphabet() throws(TokenizerError) -> TokenTable {
    let smallest = specialTokens.count + 256
    guard (smallest...Self.sizeLimit).contains(vocabularySize) else {
      throw Self.failure(
        "a vocabulary of \(vocabularySize) tokens is asked for",
        remedy: "ask for \(smallest) (256 bytes and \(specialTokens.count) special tokens) to"
          + " \(Self.sizeLimit) tokens"
      )
    }
    var tokens = TokenTable(capacity: vocabularySize)
    for token in specialTokens {
      guard !token.isEmpty, tokens.insert(token.utf8, id: tokens.count) else {
        throw Self.failure(
          "the special token '\(token)' is empty or occurs twice",
          remedy: "name each special token once"
        )
      }
    }
    let characters = ByteAlphabet.scalars.sorted { $0.value < $1.value }
    for character in characters {
      guard tokens.insert(String(Character(character)).utf8, id: tokens.count) else {
        throw Self.failure(
          "the special token '\(character)' is also the character that stands for a byte",
          remedy: "use special tokens of more than one character"
        )
      }
    }
    return tokens
  }

  private func json(
    _ layout: GGUFLayout,
    _ tokens: TokenTable,
    _ merges: [BytePairModel.Merge]
  ) -> String {
    let added = specialTokens.enumerated().map { id, token in
      TokenizerWriter.addedToken(token, id: Int32(id), isSpecial: true)
    }.joined(separator: ",")
    return "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
      + "\"added_tokens\":[\(added)],\"normalizer\":\(layout.normalizerJSON),"
      + "\"pre_tokenizer\":\(layout.preTokenizerJSON),\"post_processor\":null,"
      + "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
      + "\"trim_offsets\":true,\"use_regex\":true},"
      + "\"model\":\(TokenizerWriter.bytePairModel(tokens, merges))}\n"
  }

  private static func failure(_ problem: String, remedy: String) -> TokenizerError {
    TokenizerError(
      .training,
      at: .init(source: "tokenizer training", path: ""),
      problem,
      remedy: remedy
    )
  }
}
