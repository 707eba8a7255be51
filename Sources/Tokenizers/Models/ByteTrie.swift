/// Finds all tokens that a text continues with at a position, shortest first.
struct ByteTrie: Sendable {
  /// From a node and a byte to the next node; the root is node 0.
  private var children: PairTable
  /// The token that ends at each node, -1 for none.
  private var ids: [Int32] = [-1]

  init(_ tokens: TokenTable) {
    children = PairTable(capacity: tokens.bytes.count / 2)
    for id in 0..<tokens.idLimit {
      guard let token = tokens[id], !token.isEmpty else { continue }
      insert(token, id: Int32(id))
    }
  }

  init() { children = PairTable(capacity: 8) }

  mutating func insert(_ token: some Sequence<UInt8>, id: Int32) {
    var node: Int32 = 0
    for byte in token {
      let key = PairTable.key(node, Int32(byte))
      let next = children[key]
      if next == PairTable.absent {
        children.insert(key, UInt64(ids.count))
        node = Int32(ids.count)
        ids.append(-1)
      } else {
        node = Int32(next)
      }
    }
    ids[Int(node)] = id
  }

  /// Calls `body` with the id and end of every token that `text` continues with at `start`.
  @inline(__always)
  func forEachPrefix(
    of text: UnsafeBufferPointer<UInt8>,
    from start: Int,
    _ body: (Int32, Int) -> Void
  ) {
    var node: Int32 = 0
    var position = start
    while position < text.count {
      let next = children[PairTable.key(node, Int32(text[position]))]
      if next == PairTable.absent { return }
      node = Int32(next)
      position += 1
      if ids[Int(node)] >= 0 { body(ids[Int(node)], position) }
    }
  }
}
