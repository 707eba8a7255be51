internal import HeapModule

/// SentencePiece's byte-pair encoding as GGUF files hold it: a list of tokens with scores instead
/// of a list of merges.
///
/// Two neighbouring symbols may be merged if their text is a token; the one with the highest
/// score is merged first, the leftmost among equals. Characters that are not tokens become byte
/// tokens, or the unknown token where those are missing.
struct ScoredMergeModel: Sendable {
  let tokens: TokenTable
  let scores: [Float]
  private let unknown: Int32?
  private let byteTokens: [Int32]
  private let location: TokenizerError.Location

  /// Creates a model.
  ///
  /// - Parameters:
  ///   - tokens: The vocabulary.
  ///   - scores: The score of each id; finite.
  ///   - unknown: The token for what cannot be expressed.
  ///   - location: Where the model comes from, for errors.
  init(
    tokens: TokenTable,
    scores: [Float],
    unknown: Int32?,
    at location: TokenizerError.Location
  ) {
    self.tokens = tokens
    self.scores = scores
    self.unknown = unknown
    self.location = location
    byteTokens = (UInt8.min...UInt8.max).map { byte in tokens.id(byteTokenName(byte)) ?? -1 }
  }

  private struct Symbol {
    var start: Int32
    var count: Int32
    var previous: Int32
    var next: Int32
  }

  /// A possible merge; the smallest is to be done first.
  private struct Candidate: Comparable {
    let score: Float
    let left: Int32
    let right: Int32
    let count: Int32

    static func < (first: Candidate, second: Candidate) -> Bool {
      first.score > second.score || (first.score == second.score && first.left < second.left)
    }
  }

  func encode(
    _ piece: UnsafeBufferPointer<UInt8>,
    to output: inout TokenBuffer
  ) throws(TokenizerError) {
    var symbols = Self.characters(of: piece)
    var first: [Candidate] = []
    for index in symbols.indices.dropLast() {
      if let candidate = candidate(piece, symbols, Int32(index)) { first.append(candidate) }
    }
    var queue = Heap(first)
    while let best = queue.popMin() {
      let left = symbols[Int(best.left)]
      let right = symbols[Int(best.right)]
      // A symbol that was merged away is empty; one that has grown has another length.
      guard left.count > 0, right.count > 0, left.count + right.count == best.count else {
        continue
      }
      symbols[Int(best.left)].count = best.count
      symbols[Int(best.right)].count = 0
      symbols[Int(best.left)].next = right.next
      if right.next >= 0 { symbols[Int(right.next)].previous = best.left }
      if left.previous >= 0, let candidate = candidate(piece, symbols, left.previous) {
        queue.insert(candidate)
      }
      if let candidate = candidate(piece, symbols, best.left) { queue.insert(candidate) }
    }
    var index: Int32 = symbols.isEmpty ? -1 : 0
    while index >= 0 {
      let symbol = symbols[Int(index)]
      try append(
        .init(rebasing: piece[Int(symbol.start)..<Int(symbol.start + symbol.count)]),
        to: &output
      )
      index = symbol.next
    }
  }

  private static func characters(of piece: UnsafeBufferPointer<UInt8>) -> [Symbol] {
    var symbols: [Symbol] = []
    symbols.reserveCapacity(piece.count)
    var position = 0
    while position < piece.count {
      let length = sequenceLength(piece[position])
      let index = Int32(symbols.count)
      let isLast = position + length == piece.count
      symbols.append(
        .init(
          start: Int32(position),
          count: Int32(length),
          previous: index - 1,
          next: isLast ? -1 : index + 1
        )
      )
      position += length
    }
    return symbols
  }

  /// The merge of the symbol at `index` with the next one, if their text is a token.
  private func candidate(
    _ piece: UnsafeBufferPointer<UInt8>,
    _ symbols: [Symbol],
    _ index: Int32
  ) -> Candidate? {
    let left = symbols[Int(index)]
    guard left.next >= 0 else { return nil }
    let count = left.count + symbols[Int(left.next)].count
    let text = UnsafeBufferPointer(
      rebasing: piece[Int(left.start)..<Int(left.start + count)]
    )
    guard let id = tokens.id(text) else { return nil }
    return .init(score: scores[Int(id)], left: index, right: left.next, count: count)
  }

  private func append(
    _ text: UnsafeBufferPointer<UInt8>,
    to output: inout TokenBuffer
  ) throws(TokenizerError) {
    if let id = tokens.id(text) {
      output.append(id)
      return
    }
    for byte in text {
      let id = byteTokens[Int(byte)]
      if id >= 0 {
        output.append(id)
      } else if let unknown {
        output.append(unknown)
      } else {
        throw TokenizerError(
          .unknownToken,
          at: location,
          "the text has the byte \(byteTokenName(byte)), for which there is no token",
          remedy: "use a vocabulary with byte tokens or an unknown token"
        )
      }
    }
  }
}
