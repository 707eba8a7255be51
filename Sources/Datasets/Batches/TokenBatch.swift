/// Rows of tokens for a step of training, and what is to be predicted from each.
///
/// With the end of text `e` and documents `a b c e` and `x y e`, one row of 8 columns:
///
///     column           0  1  2  3  4  5  6  7
///     tokens           a  b  c  e  x  y  e  0
///     targets          b  c  e −1  y  e −1 −1
///     documentStarts   0  0  0  0  4  4  4  7
///
/// The end of text is predicted from its document; the first token of a document is not predicted
/// from the document before, and no token sees one before its document's first.
public struct TokenBatch: Sendable, Hashable {
  /// The inputs, `[rows, columns]`.
  public var tokens: [Int32]
  /// The token to be predicted from each input, `[rows, columns]`; −1 where none counts.
  public var targets: [Int32]
  /// The number of rows.
  public var rows: Int
  /// The number of inputs in a row.
  public var columns: Int
  /// For each input, the column where the part of its document that is in the row begins.
  ///
  /// `[rows, columns]`. Padding at the end of a row is a document of its own.
  public var documentStarts: [Int32]

  /// How many predictions count.
  public var countedTargets: Int { targets.reduce(0) { $0 + ($1 >= 0 ? 1 : 0) } }

  /// Creates rows of padding, to be filled.
  init(rows: Int, columns: Int, padding: Int32) {
    (self.rows, self.columns) = (rows, columns)
    tokens = Array(repeating: padding, count: rows * columns)
    targets = Array(repeating: -1, count: rows * columns)
    documentStarts = Array(repeating: 0, count: rows * columns)
  }

  /// Fills a row.
  ///
  /// - Parameters:
  ///   - row: Which row.
  ///   - segments: The documents and parts of documents in it, `columns + 1` tokens at most.
  ///   - words: All words of the store.
  ///   - separatesDocuments: Whether documents do not see each other.
  mutating func fill(
    _ row: Int,
    with segments: [Range<Int>],
    of words: UnsafeBufferPointer<UInt32>,
    separatesDocuments: Bool
  ) {
    let base = row * columns
    var column = 0
    for segment in segments {
      let first = column
      for position in segment {
        let word = words[position]
        let token = Int32(truncatingIfNeeded: word & ~TokenStore.uncounted)
        let isPredicted = column > first || (column > 0 && !separatesDocuments)
        if isPredicted, word & TokenStore.uncounted == 0 { targets[base + column - 1] = token }
        if column < columns {
          tokens[base + column] = token
          documentStarts[base + column] = separatesDocuments ? Int32(first) : 0
        }
        column += 1
      }
    }
    guard column < columns else { return }
    for padding in column..<columns { documentStarts[base + padding] = Int32(column) }
  }
}
