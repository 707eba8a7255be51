/// Cuts bytes into lines, whatever chunks they come in.
struct LineReader {
  /// One line.
  struct Line {
    /// The bytes with the line end, if there is one.
    var bytes: [UInt8]
    /// Counted from 1.
    var number: Int
    /// Where it starts in the text.
    var offset: Int

    /// The bytes without `\n` or `\r\n`.
    var content: ArraySlice<UInt8> {
      var end = bytes.count
      if end > 0, bytes[end - 1] == UInt8(ascii: "\n") {
        end -= 1
        if end > 0, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
      }
      return bytes[..<end]
    }
  }

  /// More than any record has; a file without line ends must not fill the memory.
  static let byteLimit = 1 << 28

  private let source: any ByteSource
  private let location: String
  private var buffer: [UInt8] = []
  private var position = 0
  private var offset = 0
  private var number = 0

  init(_ source: any ByteSource, location: String) {
    (self.source, self.location) = (source, location)
  }

  /// Returns the next line; nil at the end.
  mutating func next() throws(DatasetError) -> Line? {
    var searched = position
    while true {
      let end = buffer.withUnsafeBytes { $0.offset(of: UInt8(ascii: "\n"), from: searched) }
      if let end { return take(end + 1) }
      buffer.removeSubrange(..<position)
      position = 0
      searched = buffer.count
      guard searched <= Self.byteLimit else {
        throw DatasetError(
          .brokenRecord,
          "a line has more than \(Self.byteLimit) bytes",
          at: "\(location):\(number + 1)",
          remedy: "write one record on a line"
        )
      }
      guard let chunk = try source.next() else { return searched > 0 ? take(searched) : nil }
      buffer += chunk
    }
  }

  private mutating func take(_ end: Int) -> Line {
    number += 1
    let line = Line(bytes: Array(buffer[position..<end]), number: number, offset: offset)
    offset += end - position
    position = end
    return line
  }
}
