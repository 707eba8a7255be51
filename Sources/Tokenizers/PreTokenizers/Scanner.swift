/// Hand-written equivalents of the most common splitting patterns of byte-level tokenizers.
///
/// A scanner finds the same pieces as the pattern through PCRE2, several times faster. The tests
/// hold both against each other on text of all of Unicode.
enum Scanner: Sendable {
  /// GPT-2's pattern, ``ByteLevel/pattern``.
  case gpt2
  /// GPT-2's pattern on what is left between single digits.
  case gpt2SingleDigits
  /// The pattern of Llama 3 and Qwen 2, with up to so many digits in a piece.
  case llama3(digits: Int)

  /// Llama 3's pattern with `N` where the bound on digits stands.
  private static let llama3Pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}N"
    + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
  static let llama3Pattern3 = llama3Pattern.replacing("\\p{N}N", with: "\\p{N}{1,3}")
  static let llama3Pattern1 = llama3Pattern.replacing("\\p{N}N", with: "\\p{N}")

  /// The scanner that does what these steps do, if there is one.
  ///
  /// The last step is a ``ByteLevel`` that adds no space.
  init?(_ steps: [any PreTokenizer]) {
    guard let last = steps.last as? ByteLevel, !last.addsPrefixSpace else { return nil }
    switch (steps.count, steps.first) {
    case (1, _) where last.expression != nil: self = .gpt2
    case (2, let digits as Digits) where digits.isIndividual && last.expression != nil:
      self = .gpt2SingleDigits
    case (2, let split as Split) where last.expression == nil:
      guard split.coversEverything, case .expression(let expression) = split.pattern else {
        return nil
      }
      switch expression.pattern {
      case ByteLevel.pattern: self = .gpt2
      case Self.llama3Pattern3: self = .llama3(digits: 3)
      case Self.llama3Pattern1: self = .llama3(digits: 1)
      default: return nil
      }
    default: return nil
    }
  }

  /// Calls `body` with the start and end of each piece of `text[range]`, in order.
  @inline(__always)
  func forEachPiece(
    in text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    _ body: (Int, Int) throws(TokenizerError) -> Void
  ) throws(TokenizerError) {
    var separatesDigits = false
    if case .gpt2SingleDigits = self { separatesDigits = true }
    try UnicodeClasses.shared.withTable(separatesDigits: separatesDigits) {
      classes throws(TokenizerError) in
      let cursor = ScannerCursor(text: text, end: range.upperBound, classes: classes)
      var position = range.lowerBound
      switch self {
      case .gpt2:
        while position < range.upperBound {
          let end = cursor.endOfGPT2Piece(position, separatesDigits: false)
          try body(position, end)
          position = end
        }
      case .gpt2SingleDigits:
        while position < range.upperBound {
          let end = cursor.endOfGPT2Piece(position, separatesDigits: true)
          try body(position, end)
          position = end
        }
      case .llama3(let digits):
        while position < range.upperBound {
          let end = cursor.endOfLlama3Piece(position, digits: digits)
          try body(position, end)
          position = end
        }
      }
    }
  }
}

extension Split {
  /// Whether matches and what lies between them all become pieces, so that a pattern which
  /// matches everything splits without loss.
  var coversEverything: Bool {
    behavior == .isolated || (behavior == .removed && isInverted)
  }
}
