/// A text and the pieces it is split into; text between the pieces is dropped.
struct PieceList {
  /// A range of the text.
  struct Piece {
    let start: Int
    let end: Int
    /// Whether the piece starts where the whole input starts.
    let isAtOrigin: Bool
  }

  var text: [UInt8]
  var pieces: [Piece]

  /// A part of a piece on the way to being split: what matched, or what lies between matches.
  struct Part {
    let start: Int
    let end: Int
    let isMatch: Bool
  }

  /// Splits every piece.
  ///
  /// - Parameters:
  ///   - behavior: What becomes of the matches.
  ///   - isInverted: Whether what lies between the matches is treated as the matches.
  ///   - findMatches: Given the text and a piece's range, calls back with each match in order.
  /// - Throws: What `findMatches` throws.
  mutating func split(
    _ behavior: SplitBehavior,
    isInverted: Bool = false,
    findMatches: (
      UnsafeBufferPointer<UInt8>, Range<Int>,
      (Int, Int) throws(TokenizerError) -> Void
    ) throws(TokenizerError) -> Void
  ) throws(TokenizerError) {
    var result: [Piece] = []
    result.reserveCapacity(pieces.count)
    let pieces = self.pieces
    try text.withUnsafeBufferPointer { text throws(TokenizerError) in
      var parts: [Part] = []
      for piece in pieces {
        parts.removeAll(keepingCapacity: true)
        var position = piece.start
        try findMatches(text, piece.start..<piece.end) { start, end in
          if position < start {
            parts.append(.init(start: position, end: start, isMatch: isInverted))
          }
          parts.append(.init(start: start, end: end, isMatch: !isInverted))
          position = end
        }
        if position < piece.end {
          parts.append(.init(start: position, end: piece.end, isMatch: isInverted))
        }
        behavior.join(parts) { start, end in
          guard start < end else { return }
          let isAtOrigin = piece.isAtOrigin && start == piece.start
          result.append(.init(start: start, end: end, isAtOrigin: isAtOrigin))
        }
      }
    }
    self.pieces = result
  }

  /// Splits every piece at the scalars for which `isDelimiter` holds.
  mutating func split(
    _ behavior: SplitBehavior,
    at isDelimiter: (Unicode.Scalar) -> Bool
  ) throws(TokenizerError) {
    try split(behavior) { text, range, found throws(TokenizerError) in
      var position = range.lowerBound
      while position < range.upperBound {
        let (value, length) = decodeScalar(text, position)
        if let scalar = Unicode.Scalar(value), isDelimiter(scalar) {
          try found(position, position + length)
        }
        position += length
      }
    }
  }

  /// Replaces the text of each piece by what `transform` makes of it.
  mutating func rewrite(_ transform: (ArraySlice<UInt8>, Piece, inout [UInt8]) -> Void) {
    var rewritten: [UInt8] = []
    rewritten.reserveCapacity(text.count + pieces.count)
    pieces = pieces.map { piece in
      let start = rewritten.count
      transform(text[piece.start..<piece.end], piece, &rewritten)
      return .init(start: start, end: rewritten.count, isAtOrigin: piece.isAtOrigin)
    }
    text = rewritten
  }
}
