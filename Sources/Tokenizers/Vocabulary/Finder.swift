/// Finds the leftmost, among those the longest, of several byte strings in a text.
struct Finder: Sendable {
  private var trie = ByteTrie()
  /// Whether a string starts with the byte.
  private var starts = [Bool](repeating: false, count: 256)
  private(set) var isEmpty = true

  mutating func insert(_ string: [UInt8], id: Int32) {
    guard let first = string.first else { return }
    trie.insert(string, id: id)
    starts[Int(first)] = true
    isEmpty = false
  }

  /// Calls `body` with the id, start and end of every match, in order, without overlaps.
  func forEachMatch(
    in text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    _ body: (Int32, Int, Int) -> Void
  ) {
    if isEmpty { return }
    let text = UnsafeBufferPointer(rebasing: text[..<range.upperBound])
    starts.withUnsafeBufferPointer { starts in
      var position = range.lowerBound
      while position < text.count {
        if !starts[Int(text[position])] {
          position += 1
          continue
        }
        var longest: (id: Int32, end: Int)?
        trie.forEachPrefix(of: text, from: position) { id, end in longest = (id, end) }
        if let longest {
          body(longest.id, position, longest.end)
          position = longest.end
        } else {
          position += 1
        }
      }
    }
  }
}
