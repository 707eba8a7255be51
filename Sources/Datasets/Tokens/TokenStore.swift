internal import Foundation

/// The tokens of a data set, in memory or in a mapped file, document after document.
///
/// A word holds a token's id and, in its highest bit, whether its prediction does **not** count.
public struct TokenStore: Sendable {
  /// What is known of the whole.
  public struct Summary: Sendable, Hashable, Codable {
    /// What was read.
    public var records = RecordCounts()
    /// How many documents there are.
    public var documents = 0
    /// How many documents were left out because the encoder found nothing in them to learn from.
    public var withoutTokens = 0
    /// How many tokens there are.
    public var tokens = 0
    /// How many tokens' predictions count.
    public var counted = 0
    /// The largest id; a model's vocabulary has to be larger.
    public var largestToken: Int32 = 0

    /// Creates a summary of nothing.
    public init() {}
  }

  enum Words: Sendable {
    case array([UInt32])
    /// A mapped file, and where in it the words are.
    case mapped(Data, Range<Int>)
  }

  /// Set in words of tokens whose prediction does not count.
  static let uncounted: UInt32 = 1 << 31

  /// What the data set is called.
  public let name: String
  /// Equal for stores of equal records and encoders.
  public let key: String
  /// What is known of the whole.
  public let summary: Summary
  /// Whether the tokens were found in a file and not made anew.
  public let isFromCache: Bool
  /// Where each document starts, and where the last ends: one more than there are documents.
  let starts: [Int]
  private let words: Words

  init(
    name: String,
    key: String,
    summary: Summary,
    isFromCache: Bool,
    starts: [Int],
    words: Words
  ) {
    (self.name, self.key, self.summary) = (name, key, summary)
    (self.isFromCache, self.starts, self.words) = (isFromCache, starts, words)
  }

  /// Calls `body` with all words.
  func withWords<R>(_ body: (UnsafeBufferPointer<UInt32>) throws -> R) rethrows -> R {
    switch words {
    case .array(let array): try array.withUnsafeBufferPointer(body)
    case .mapped(let data, let range):
      try data.withUnsafeBytes {
        try body(UnsafeRawBufferPointer(rebasing: $0[range]).bindMemory(to: UInt32.self))
      }
    }
  }

  /// The tokens of one document.
  ///
  /// - Precondition: `index` is from 0 and below the number of documents.
  public func document(_ index: Int) -> TrainingSample {
    withWords { words in
      let words = words[starts[index]..<starts[index + 1]]
      return TrainingSample(
        words.map { Int32(truncatingIfNeeded: $0 & ~Self.uncounted) },
        counts: words.map { $0 & Self.uncounted == 0 }
      )
    }
  }

  /// The first token that is not one of those known.
  ///
  /// - Parameter known: For each id, whether it is known; ids beyond are not.
  /// - Returns: Its id; nil if all are known.
  /// - Complexity: O(tokens).
  public func firstToken(outside known: [Bool]) -> Int32? {
    withWords { words in
      known.withUnsafeBufferPointer { known in
        let word = words.first {
          let id = Int($0 & ~Self.uncounted)
          return id >= known.count || !known[id]
        }
        return word.map { Int32(truncatingIfNeeded: $0 & ~Self.uncounted) }
      }
    }
  }

  /// All documents.
  public var all: TokenSlice {
    TokenSlice(store: self, documents: 0..<summary.documents, tokens: 0..<summary.tokens)
  }
}

/// Part of a store: documents side by side, the first and last perhaps in part.
public struct TokenSlice: Sendable {
  /// The store.
  public let store: TokenStore
  /// The documents of which there is something here.
  public let documents: Range<Int>
  /// The tokens that are here, counted from the start of the store.
  public let tokens: Range<Int>

  /// The tokens of a document that are here.
  func range(_ document: Int) -> Range<Int> {
    (store.starts[document]..<store.starts[document + 1]).clamped(to: tokens)
  }

  /// Divides into a first part and a last part that holds about a fraction of the tokens.
  ///
  /// The parts meet at the end of the document that is nearest. If that would make the last part
  /// less than half or more than one and a half times as long as asked, and documents may be cut,
  /// one is cut.
  ///
  /// - Parameters:
  ///   - lastFraction: How much the last part gets, above 0 and below 1.
  ///   - keepsDocumentsWhole: Whether documents may not be cut, as conversations may not.
  /// - Returns: Both parts, each with one token at least.
  /// - Throws: ``DatasetError`` if the fraction is out of range or there is too little to divide.
  public func split(
    lastFraction: Double,
    keepsDocumentsWhole: Bool = false
  ) throws(DatasetError) -> (first: TokenSlice, last: TokenSlice) {
    guard lastFraction > 0, lastFraction < 1 else {
      throw DatasetError(
        .invalidOptions,
        "a part of \(lastFraction) cannot be set aside",
        at: store.name,
        remedy: "use a fraction above 0 and below 1, such as 0.05"
      )
    }
    let wanted = Double(tokens.count) * lastFraction
    let ideal = tokens.upperBound - max(1, Int(wanted.rounded()))
    let inner = documents.dropFirst().map { store.starts[$0] }
    let boundary = inner.min { abs($0 - ideal) < abs($1 - ideal) }
    var cut = boundary
    if !keepsDocumentsWhole, tokens.count >= 2,
      boundary.map({ abs(Double($0 - ideal)) > wanted / 2 }) ?? true
    {
      cut = max(tokens.lowerBound + 1, ideal)
    }
    guard let cut else {
      throw DatasetError(
        .tooShort,
        "one document cannot be divided into two parts",
        at: store.name,
        remedy: "name separate data to validate on"
      )
    }
    return (part(tokens.lowerBound..<cut), part(cut..<tokens.upperBound))
  }

  private func part(_ range: Range<Int>) -> TokenSlice {
    let inside = documents.filter { self.range($0).overlaps(range) }
    let (first, last) = (inside.first ?? 0, inside.last ?? -1)
    return TokenSlice(store: store, documents: first..<last + 1, tokens: range)
  }
}
