internal import HeapModule

/// Merges the most frequent pairs of symbols of words, keeping all counts up to date.
///
/// A pair's words are remembered with each of its entries in the queue: those in which the pair
/// came up since the entry before. Counts in the queue are brought up to date when they come to
/// its top.
struct PairMerger {
  /// A pair that waits to be merged.
  ///
  /// Of two, the one that is merged first is the greater.
  private struct Candidate: Comparable {
    var count: Int
    let pair: Int
    let key: UInt64
    /// The place in `positions` of the words to merge it in.
    let place: Int

    static func < (left: Candidate, right: Candidate) -> Bool {
      left.count == right.count ? left.key > right.key : left.count < right.count
    }
  }

  /// The symbols of all words, one word after another.
  private var symbols: [Int32] = []
  private var starts: [Int] = []
  private var lengths: [Int] = []
  private let wordCounts: [Int]

  /// The number of each pair that ever occurred.
  private var pairs = PairTable(capacity: 1 << 16)
  private var keys: [UInt64] = []
  private var counts: [Int] = []
  /// Of each pair, the words in which it came up since it was last put into the queue.
  private var pending: [[Int32]] = []
  private var touched: [Int] = []
  private var positions: [[Int32]] = []
  private var queue = Heap<Candidate>()

  /// Creates a merger.
  ///
  /// - Parameters:
  ///   - counter: The words.
  ///   - byteSymbols: The symbol of each byte.
  init(_ counter: WordCounter, _ byteSymbols: [Int32]) {
    wordCounts = counter.counts
    symbols.reserveCapacity(counter.words.bytes.count)
    for word in 0..<counter.words.idLimit {
      starts.append(symbols.count)
      for byte in counter.words[word] ?? [] { symbols.append(byteSymbols[Int(byte)]) }
      lengths.append(symbols.count - starts[word])
    }
    for word in starts.indices {
      for index in starts[word]..<max(starts[word], starts[word] + lengths[word] - 1) {
        change(symbols[index], symbols[index + 1], by: wordCounts[word], in: word)
      }
    }
    enqueueTouched()
  }

  /// Merges until the vocabulary is large enough or no pair occurs often enough.
  ///
  /// - Parameters:
  ///   - tokens: The vocabulary; gets a token for each merge that makes one that is not in it.
  ///   - size: The number of tokens to stop at.
  ///   - minimumFrequency: How often a pair must occur to be merged.
  /// - Returns: The merges, in order of rank.
  mutating func merge(
    into tokens: inout TokenTable,
    upTo size: Int,
    minimumFrequency: Int
  ) -> [BytePairModel.Merge] {
    var merges: [BytePairModel.Merge] = []
    /// The last rank of each pair; a pair can be merged again when another one makes its symbols.
    var ranks: [Int: Int] = [:]
    while tokens.count < size, var top = queue.popMax() {
      if top.count != counts[top.pair] {
        top.count = counts[top.pair]
        queue.insert(top)
        continue
      }
      guard top.count >= max(1, minimumFrequency) else { break }
      let left = Int32(truncatingIfNeeded: top.key >> 32)
      let right = Int32(truncatingIfNeeded: top.key & 0xFFFF_FFFF)
      let token = Array(tokens[Int(left)] ?? []) + Array(tokens[Int(right)] ?? [])
      let id: Int32
      if let known = tokens.id(token) {
        id = known
      } else {
        id = Int32(tokens.count)
        _ = tokens.insert(token, id: tokens.count)
      }
      ranks[top.pair] = merges.count
      merges.append(.init(left: left, right: right))
      let words = positions[top.place]
      positions[top.place] = []
      for word in words { merge(left, right, into: id, in: Int(word)) }
      enqueueTouched()
    }
    return ranks.values.sorted().map { merges[$0] }
  }

  /// Merges a pair in one word, from left to right.
  private mutating func merge(_ left: Int32, _ right: Int32, into id: Int32, in word: Int) {
    let start = starts[word]
    let end = start + lengths[word]
    let count = wordCounts[word]
    var (source, target) = (start, start)
    while source < end {
      guard symbols[source] == left, source + 1 < end, symbols[source + 1] == right else {
        symbols[target] = symbols[source]
        source += 1
        target += 1
        continue
      }
      if target > start {
        change(symbols[target - 1], left, by: -count, in: word)
        change(symbols[target - 1], id, by: count, in: word)
      }
      source += 2
      symbols[target] = id
      target += 1
      if source < end {
        change(right, symbols[source], by: -count, in: word)
        change(id, symbols[source], by: count, in: word)
      }
    }
    lengths[word] = target - start
  }

  /// Counts a pair that came up in a word, or with a negative amount one that is gone.
  private mutating func change(_ left: Int32, _ right: Int32, by amount: Int, in word: Int) {
    let key = PairTable.key(left, right)
    var pair = Int(truncatingIfNeeded: pairs[key])
    if pairs[key] == PairTable.absent {
      pair = keys.count
      pairs.insert(key, UInt64(pair))
      keys.append(key)
      counts.append(0)
      pending.append([])
    }
    counts[pair] += amount
    guard amount > 0 else { return }
    if pending[pair].isEmpty { touched.append(pair) }
    if pending[pair].last != Int32(word) { pending[pair].append(Int32(word)) }
  }

  private mutating func enqueueTouched() {
    for pair in touched {
      let words = pending[pair]
      pending[pair] = []
      guard counts[pair] > 0 else { continue }
      queue.insert(
        .init(count: counts[pair], pair: pair, key: keys[pair], place: positions.count)
      )
      positions.append(words)
    }
    touched.removeAll(keepingCapacity: true)
  }
}
