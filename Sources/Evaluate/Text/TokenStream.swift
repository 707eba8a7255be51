public import Tokenizers

/// Turns tokens into text as they come, never printing half a character.
///
/// A character may be spread over several tokens: what would decode to U+FFFD at the end is held
/// back until the tokens that complete it have come.
///
/// ```swift
/// var stream = TokenStream(tokenizer)
/// for token in tokens { print(try stream.append(token), terminator: "") }
/// print(try stream.finish())
/// ```
public struct TokenStream {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  /// Tokens from the last safe point: those whose text is out, as context for the decoder, and
  /// those held back.
  private var recent: [Int32] = []
  private var shownCount = 0

  /// How many tokens are held back at most, so that a model that makes no text at all does not
  /// slow decoding down.
  private static let limit = 64

  /// Begins a text.
  public init(_ tokenizer: Tokenizer, skipsSpecialTokens: Bool = true) {
    self.tokenizer = tokenizer
    self.skipsSpecialTokens = skipsSpecialTokens
  }

  /// Adds tokens whose text is not wanted, such as a prompt's, so that the next token's text
  /// joins on to theirs.
  public mutating func skip(_ tokens: [Int32]) {
    recent = Array(tokens.suffix(Self.limit))
    shownCount = recent.count
  }

  /// Returns the text that a token completes; empty if its last character is not complete.
  ///
  /// - Throws: `TokenizerError` if the tokens cannot be decoded.
  public mutating func append(_ token: Int32) throws -> String {
    recent.append(token)
    let text = try pending()
    if text.hasSuffix("\u{FFFD}") && recent.count - shownCount < Self.limit { return "" }
    advance()
    return text
  }

  /// Returns what is still held back, with U+FFFD for what stayed incomplete.
  ///
  /// - Throws: `TokenizerError` if the tokens cannot be decoded.
  public mutating func finish() throws -> String {
    let text = try pending()
    recent = []
    shownCount = 0
    return text
  }

  /// The text of the tokens held back, as it follows that of the tokens before.
  private func pending() throws -> String {
    let before = try decode(recent[..<shownCount])
    let all = try decode(recent[...])
    return all.hasPrefix(before)
      ? String(all.unicodeScalars.dropFirst(before.unicodeScalars.count))
      : try decode(recent[shownCount...])
  }

  private mutating func advance() {
    // The tokens shown last stay: decoders treat the first token of a text differently.
    recent = Array(recent[shownCount...])
    shownCount = recent.count
  }

  private func decode(_ tokens: ArraySlice<Int32>) throws -> String {
    try tokenizer.decode(Array(tokens), skipSpecialTokens: skipsSpecialTokens)
  }
}
