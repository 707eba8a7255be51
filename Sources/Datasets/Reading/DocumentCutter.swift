/// Part of a plain text: a document, or a piece of one that is long.
struct DocumentPiece: Equatable {
  var bytes: [UInt8]
  /// Where it starts in the text.
  var offset: Int
  /// The number of the line it starts on, from 1.
  var line: Int
  var endsDocument: Bool
}

/// Cuts a plain text into documents.
protocol DocumentCutter {
  /// Returns the next piece; nil at the end.
  mutating func next() throws(DatasetError) -> DocumentPiece?
}

/// Cuts at lines that separate documents.
struct LineCutter: DocumentCutter {
  private var lines: LineReader
  private let separator: [UInt8]
  private let pieceByteCount: Int
  private var isInsideDocument = false

  /// Creates a cutter.
  ///
  /// - Parameters:
  ///   - lines: The lines of the text.
  ///   - separator: What a separating line holds; nothing for blank lines.
  ///   - pieceByteCount: How long a piece gets at least before the document has ended.
  init(_ lines: LineReader, separator: String, pieceByteCount: Int) {
    (self.lines, self.pieceByteCount) = (lines, pieceByteCount)
    self.separator = Array(separator.utf8)
  }

  mutating func next() throws(DatasetError) -> DocumentPiece? {
    var piece: DocumentPiece?
    while let line = try lines.next() {
      if Self.trimmed(line.content).elementsEqual(separator) {
        if piece == nil && !isInsideDocument { continue }
        isInsideDocument = false
        return piece
          ?? DocumentPiece(
            bytes: [],
            offset: line.offset,
            line: line.number,
            endsDocument: true
          )
      }
      if piece == nil {
        piece = DocumentPiece(
          bytes: line.bytes,
          offset: line.offset,
          line: line.number,
          endsDocument: true
        )
      } else {
        piece?.bytes += line.bytes
      }
      if let full = piece, full.bytes.count >= pieceByteCount {
        isInsideDocument = true
        piece?.endsDocument = false
        return piece
      }
    }
    guard piece == nil, isInsideDocument else { return piece }
    isInsideDocument = false
    return DocumentPiece(bytes: [], offset: 0, line: 1, endsDocument: true)
  }

  private static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let start = line.firstIndex(where: { !$0.isSpace }),
      let end = line.lastIndex(where: { !$0.isSpace })
    else { return [] }
    return line[start...end]
  }
}

/// Cuts at a text that separates documents, or not at all.
struct TextCutter: DocumentCutter {
  private let source: any ByteSource
  private let separator: [UInt8]
  private let pieceByteCount: Int
  private var buffer: [UInt8] = []
  private var position = 0
  private var offset = 0
  private var line = 1
  private var isInsideDocument = false

  /// Creates a cutter.
  ///
  /// - Parameters:
  ///   - source: The bytes of the text.
  ///   - separator: What separates documents; nothing to take all as one document.
  ///   - pieceByteCount: How long a document may be before it is cut into pieces.
  init(_ source: any ByteSource, separator: String, pieceByteCount: Int) {
    (self.source, self.pieceByteCount) = (source, pieceByteCount)
    self.separator = Array(separator.utf8)
  }

  mutating func next() throws(DatasetError) -> DocumentPiece? {
    var searched = position
    while true {
      if !separator.isEmpty,
        let end = buffer.withUnsafeBytes({ $0.offset(of: separator, from: searched) })
      {
        return take(end, dropping: separator.count, endsDocument: true)
      }
      // The beginning of a separator may lie at the end of the buffer.
      let complete = buffer.count - max(0, separator.count - 1)
      if complete - position >= pieceByteCount {
        return take(goodCut(before: complete), dropping: 0, endsDocument: false)
      }
      buffer.removeSubrange(..<position)
      searched = max(0, complete - position)
      position = 0
      guard let chunk = try source.next() else {
        guard !buffer.isEmpty || isInsideDocument else { return nil }
        return take(buffer.count, dropping: 0, endsDocument: true)
      }
      buffer += chunk
    }
  }

  private mutating func take(
    _ end: Int,
    dropping separatorCount: Int,
    endsDocument: Bool
  ) -> DocumentPiece {
    let piece = DocumentPiece(
      bytes: Array(buffer[position..<end]),
      offset: offset,
      line: line,
      endsDocument: endsDocument
    )
    let used = position..<end + separatorCount
    offset += used.count
    line += buffer.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[used]).lineCount }
    position = used.upperBound
    isInsideDocument = !endsDocument
    return piece
  }

  /// The last place where common tokenizers cut too, else the last line end, else the last
  /// character's start.
  private func goodCut(before end: Int) -> Int {
    var lineEnd: Int?
    var cut = end - 1
    while cut > position + 1 {
      if buffer[cut - 1] == UInt8(ascii: "\n") {
        if !buffer[cut - 2].isSpace && !buffer[cut].isSpace { return cut }
        lineEnd = lineEnd ?? cut
      }
      cut -= 1
    }
    if let lineEnd { return lineEnd }
    cut = end
    while cut > position + 1, cut > end - 4, buffer[cut - 1] & 0xC0 == 0x80 { cut -= 1 }
    // A byte that starts a character of several bytes goes with those that follow.
    return cut > position + 1 && buffer[cut - 1] >= 0xC0 ? cut - 1 : cut
  }
}

extension UInt8 {
  /// Whether this is white space in ASCII.
  var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}
