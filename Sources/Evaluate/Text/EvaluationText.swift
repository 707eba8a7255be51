public import Datasets
public import Pipeline

/// A tokenized text in windows, and which predictions of each window count.
///
/// Windows of `context` tokens lie side by side; what does not fill one at the end is dropped.
/// The model sees each window alone. At position `i` it predicts token `i + 1` of the window.
///
///     windows     counted: 0 … context − 2
///                 [t₀ t₁ t₂ … ]            nothing is added or replaced
///
///     llama.cpp   counted: context/2 … context − 2
///                 [b  t₁ t₂ … ]            `b` begins a text, if the tokenizer adds one
///
/// In `llama.cpp` the tokenizer's rule also puts `b` before the whole text, as it does for every
/// text; each window's first token is then replaced by `b`.
///
/// Source: llama.cpp, tools/perplexity, function `perplexity`, without `--ppl-stride`. Differs
/// from it in asking for one full window of text instead of two.
public struct EvaluationText: Sendable, Hashable {
  /// What the text is called in errors.
  public let name: String
  /// The windows.
  public let windows: TokenWindows
  /// Which predictions count.
  public let kind: EvaluationProtocol
  /// What replaces the first token of every window; nil to leave it.
  public let beginning: Int32?

  /// Cuts a text's tokens into windows.
  ///
  /// - Parameters:
  ///   - tokens: The whole text's ids, in `llama.cpp` with what the tokenizer puts before it.
  ///   - name: What the text is called in errors.
  ///   - kind: Which predictions count.
  ///   - context: The length of a window, from 2.
  ///   - limit: How many tokens of the text are used at most; nil for all.
  ///   - beginning: The token that begins a text, if the tokenizer adds one; used in `llama.cpp`.
  /// - Throws: ``EvaluateError`` if no prediction of a window counts, `DatasetError` if the text
  ///   is shorter than a window.
  public init(
    tokens: [Int32],
    name: String,
    kind: EvaluationProtocol,
    context: Int,
    limit: Int? = nil,
    beginning: Int32? = nil
  ) throws {
    guard context >= 2, kind == .windows || context >= 3 else {
      throw EvaluateError(
        .invalidOptions,
        "windows of \(context) tokens predict nothing that counts",
        at: name,
        remedy: "use a context of at least \(kind == .windows ? 2 : 3) tokens"
      )
    }
    self.name = name
    self.kind = kind
    self.beginning = kind == .llamaCPP ? beginning : nil
    windows = try TokenWindows(tokens, length: context, limit: limit, source: name)
  }

  /// The positions of a window whose predictions count.
  public var counted: Range<Int> {
    switch kind {
    case .windows: 0..<windows.length - 1
    case .llamaCPP: windows.length / 2..<windows.length - 1
    }
  }

  /// The number of predictions that count in the whole text.
  public var countedTotal: Int { counted.count * windows.count }

  /// The tokens that a model is given for a window.
  public func input(_ index: Int) -> [Int32] {
    var tokens = windows[index]
    if let beginning { tokens[0] = beginning }
    return tokens
  }

  /// The tokens to be predicted at the counted positions of a window.
  public func targets(_ index: Int) -> [Int32] {
    let window = windows[index]
    return counted.map { window[$0 + 1] }
  }
}

extension EvaluationText {
  /// What is taken as an independent observation in standard errors.
  var unit: SampleStatistics.Unit { kind == .windows ? .window : .token }

  /// Makes sure that a model knows every token.
  func requireVocabulary(_ size: Int, of model: String) throws(EvaluateError) {
    let all = windows.tokens + (beginning.map { [$0] } ?? [])
    guard let bad = all.first(where: { $0 < 0 || $0 >= size }) else { return }
    throw EvaluateError(
      .tokenOutOfRange,
      "token \(bad) of \(name) is outside the model's vocabulary of \(size)",
      at: model,
      remedy: "use the tokenizer that belongs to the model"
    )
  }
}
