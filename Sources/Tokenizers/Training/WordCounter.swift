/// Counts the words of texts, as the bytes they are made of.
struct WordCounter {
  private enum Splitter {
    case scanner(Scanner)
    case steps([any PreTokenizer])
  }

  private let splitter: Splitter
  /// The words, with ids in the order in which they were first seen.
  private(set) var words = TokenTable(capacity: 1 << 14)
  /// How often each word occurs.
  private(set) var counts: [Int] = []

  /// Creates a counter.
  ///
  /// - Parameter steps: What splits the texts; the last one is a ``ByteLevel``, which is to leave
  ///   bytes as they are here.
  init(_ steps: [any PreTokenizer]) {
    if let scanner = Scanner(steps) {
      splitter = .scanner(scanner)
    } else {
      splitter = .steps(
        steps.map { step in
          guard var last = step as? ByteLevel else { return step }
          last.mapsBytes = false
          return last
        }
      )
    }
  }

  /// Counts the words of a text.
  mutating func add(_ text: String) throws(TokenizerError) {
    let bytes = Array(text.utf8)
    switch splitter {
    case .scanner(let scanner):
      try bytes.withUnsafeBufferPointer { bytes throws(TokenizerError) in
        try scanner.forEachPiece(in: bytes, 0..<bytes.count) { start, end throws(TokenizerError) in
          count(UnsafeBufferPointer(rebasing: bytes[start..<end]))
        }
      }
    case .steps(let steps):
      var list = PieceList(
        text: bytes,
        pieces: [.init(start: 0, end: bytes.count, isAtOrigin: true)]
      )
      for step in steps { try step.apply(&list) }
      let pieces = list.pieces
      list.text.withUnsafeBufferPointer { bytes in
        for piece in pieces where piece.start < piece.end {
          count(UnsafeBufferPointer(rebasing: bytes[piece.start..<piece.end]))
        }
      }
    }
  }

  private mutating func count(_ word: UnsafeBufferPointer<UInt8>) {
    if let id = words.id(word) {
      counts[Int(id)] += 1
    } else if words.insert(word, id: counts.count) {
      counts.append(1)
    }
  }
}
