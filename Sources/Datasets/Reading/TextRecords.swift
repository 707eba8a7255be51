/// The documents of a plain text file.
///
/// A document of more than `pieceByteCount` bytes comes in pieces. They end, where there is one,
/// after a line end between two characters that are no white space: there, common tokenizers
/// cut as well, so that the pieces give the tokens of the whole.
final class TextRecords {
  private var cutter: any DocumentCutter
  private let location: String
  private let isSeparated: Bool
  private var isInsideDocument = false
  /// Line ends after the last piece, which belong to the document only if it goes on.
  private var heldLineEnds: [UInt8] = []

  init(
    _ bytes: any ByteSource,
    location: String,
    separator: DocumentSeparator,
    pieceByteCount: Int = 1 << 22
  ) {
    self.location = location
    isSeparated = separator != .none
    let lines = LineReader(bytes, location: location)
    cutter =
      switch separator {
      case .none: TextCutter(bytes, separator: "", pieceByteCount: pieceByteCount)
      case .text(let text): TextCutter(bytes, separator: text, pieceByteCount: pieceByteCount)
      case .line(let text): LineCutter(lines, separator: text, pieceByteCount: pieceByteCount)
      case .blankLines: LineCutter(lines, separator: "", pieceByteCount: pieceByteCount)
      }
  }

  /// Returns the next document or piece of one; nil at the end.
  func next() throws(DatasetError) -> Record? {
    while let piece = try cutter.next() {
      let starts = !isInsideDocument
      isInsideDocument = !piece.endsDocument
      var content = piece.bytes[...]
      if isSeparated {
        if starts && piece.endsDocument && content.allSatisfy(\.isSpace) { continue }
        if starts { heldLineEnds = [] }
        content = (heldLineEnds + content)[...]
        if starts { content = content.drop(while: Self.isLineEnd) }
        let last = content.lastIndex { !Self.isLineEnd($0) } ?? content.startIndex - 1
        heldLineEnds = Array(content[(last + 1)...])
        content = content[...last]
      }
      guard let text = String(validating: content, as: UTF8.self) else {
        throw TextSource.notUTF8(
          piece.bytes,
          at: location,
          offset: piece.offset,
          line: piece.line
        )
      }
      var record = Record(.text(text), location: "\(location):\(piece.line)")
      (record.startsDocument, record.endsDocument) = (starts, piece.endsDocument)
      return record
    }
    return nil
  }

  private static func isLineEnd(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }
}
