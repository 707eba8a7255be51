/// A parsed JSON text, kept as a flat list of nodes that point into the text.
///
/// Token strings must be compared byte by byte: vocabularies hold both `é` and `e` with a
/// combining accent, which are one key in a `Dictionary` keyed by `String`. That rules out
/// Foundation's readers for this file format.
final class JSONDocument: Sendable {
  enum Kind: UInt8, Sendable { case null, `true`, `false`, number, string, array, object }

  /// One value; the children of an array or object follow it directly.
  struct Node: Sendable {
    let kind: Kind
    /// Whether `start` counts from the start of `unescaped` instead of `text`.
    let isUnescaped: Bool
    /// Of a number or string, where its bytes start.
    let start: Int
    /// Of a number or string, its length in bytes; of an array or object, its element count.
    var count: Int
    /// The index of the first node that is not part of this value.
    var end: Int
  }

  let source: String
  let text: [UInt8]
  let unescaped: [UInt8]
  let nodes: [Node]

  /// Parses a text.
  ///
  /// - Parameters:
  ///   - text: The bytes of the file.
  ///   - source: The file's name, for errors.
  /// - Throws: ``TokenizerError`` with `malformedJSON` or `tooLarge`.
  init(_ text: [UInt8], source: String) throws(TokenizerError) {
    var parser = JSONParser(text, source: source)
    try parser.parse()
    self.source = source
    self.text = text
    self.unescaped = parser.unescaped
    self.nodes = parser.nodes
  }

  var root: JSONValue { JSONValue(document: self, index: 0, path: "") }

  /// Calls `body` with the bytes of the number or string at `index`.
  func withBytes<Result>(
    at index: Int,
    _ body: (UnsafeBufferPointer<UInt8>) -> Result
  ) -> Result {
    let node = nodes[index]
    let range = node.start..<(node.start + node.count)
    return (node.isUnescaped ? unescaped : text).withUnsafeBufferPointer {
      body(UnsafeBufferPointer(rebasing: $0[range]))
    }
  }

  /// The number or string at `index` as a Swift string.
  func string(at index: Int) -> String {
    withBytes(at: index) { String(decoding: $0, as: UTF8.self) }
  }
}
