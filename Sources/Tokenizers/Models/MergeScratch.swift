internal import HeapModule

/// The symbols of one word while pairs of them are merged.
struct MergeScratch {
  var symbols: [Int32] = []
  /// Of long words: the neighbours of each symbol, -1 for none.
  private var previous: [Int32] = []
  private var next: [Int32] = []
  /// Of the pair that starts at each symbol: rank and resulting symbol, or ``PairTable/absent``.
  private var pairs: [UInt64] = []

  /// Up to here, looking at every pair for each merge is cheaper than a heap.
  private static let shortLimit = 48

  /// Merges the pair of lowest rank, the leftmost among equals, until none is in `merges`.
  ///
  /// - Parameter merges: For a pair of symbols, its rank in the upper and the symbol it becomes
  ///   in the lower half.
  /// - Complexity: O(n²) for up to 48 symbols, O(n log n) beyond.
  mutating func mergeAll(_ merges: PairTable) {
    if symbols.count < 2 { return }
    if symbols.count <= Self.shortLimit { mergeShort(merges) } else { mergeLong(merges) }
  }

  private mutating func mergeShort(_ merges: PairTable) {
    var count = symbols.count
    while pairs.count < count { pairs.append(PairTable.absent) }
    symbols.withUnsafeMutableBufferPointer { symbols in
      pairs.withUnsafeMutableBufferPointer { pairs in
        for index in 0..<(count - 1) {
          pairs[index] = merges[PairTable.key(symbols[index], symbols[index + 1])]
        }
        while true {
          var best = PairTable.absent
          var place = 0
          // Equal pairs have equal values, so a strict comparison keeps the leftmost.
          for index in 0..<(count - 1) where pairs[index] < best {
            best = pairs[index]
            place = index
          }
          if best == PairTable.absent { break }
          symbols[place] = Int32(truncatingIfNeeded: best & 0xFFFF_FFFF)
          count -= 1
          for index in (place + 1)..<max(count, place + 1) {
            symbols[index] = symbols[index + 1]
            pairs[index - 1] = pairs[index]
          }
          if place + 1 < count {
            pairs[place] = merges[PairTable.key(symbols[place], symbols[place + 1])]
          }
          if place > 0 {
            pairs[place - 1] = merges[PairTable.key(symbols[place - 1], symbols[place])]
          }
          if count < 2 { break }
        }
      }
    }
    symbols.removeLast(symbols.count - count)
  }

  private mutating func mergeLong(_ merges: PairTable) {
    let count = symbols.count
    previous = (0..<count).map { Int32($0) - 1 }
    next = (0..<count).map { $0 + 1 < count ? Int32($0) + 1 : -1 }
    pairs = .init(repeating: PairTable.absent, count: count)
    var queue: [UInt64] = []
    for index in 0..<(count - 1) {
      pairs[index] = merges[PairTable.key(symbols[index], symbols[index + 1])]
      if pairs[index] != PairTable.absent { queue.append(Self.entry(pairs[index], index)) }
    }
    var heap = Heap(queue)
    while let entry = heap.popMin() {
      let left = Int(entry & 0xFFFF_FFFF)
      let pair = pairs[left]
      // An entry is stale once its pair has changed, which always changes its rank.
      guard pair != PairTable.absent, pair >> 32 == entry >> 32 else { continue }
      let right = Int(next[left])
      symbols[left] = Int32(truncatingIfNeeded: pair & 0xFFFF_FFFF)
      symbols[right] = -1
      pairs[right] = PairTable.absent
      next[left] = next[right]
      if next[left] >= 0 { previous[Int(next[left])] = Int32(left) }
      update(left, merges, &heap)
      if previous[left] >= 0 { update(Int(previous[left]), merges, &heap) }
    }
    symbols.removeAll { $0 < 0 }
  }

  private mutating func update(_ index: Int, _ merges: PairTable, _ heap: inout Heap<UInt64>) {
    guard next[index] >= 0 else {
      pairs[index] = PairTable.absent
      return
    }
    pairs[index] = merges[PairTable.key(symbols[index], symbols[Int(next[index])])]
    if pairs[index] != PairTable.absent { heap.insert(Self.entry(pairs[index], index)) }
  }

  /// Rank above place, so that the smallest entry is the lowest rank, leftmost.
  private static func entry(_ pair: UInt64, _ index: Int) -> UInt64 {
    (pair >> 32) << 32 | UInt64(index)
  }
}
