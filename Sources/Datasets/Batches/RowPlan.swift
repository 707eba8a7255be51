/// Which tokens of a source are in which row of which epoch: a pure function of the tokens, the
/// options and the seed.
struct RowPlan: Sendable {
  private let slice: TokenSlice
  private let packing: Packing
  private let options: BatchOptions
  /// Different for each source of a mixture.
  private let seed: UInt64
  let counts: PackingCounts
  /// In packings that do not cut: the documents of each row.
  private let rows: [[Range<Int>]]

  // The order of the epoch that was asked for last.
  private var epoch: Int?
  private var rowOrder: [Int] = []
  private var documentOrder: [Int] = []
  /// Where each document in `documentOrder` starts when they lie side by side, and the end.
  private var starts: [Int] = []

  private enum Purpose: UInt64 { case rows, documents, packing }

  init(_ source: BatchSource, options: BatchOptions, seed: UInt64) throws(DatasetError) {
    (slice, packing) = (source.slice, source.packing)
    (self.options, self.seed) = (options, seed)
    switch source.packing {
    case .packed:
      (counts, rows) = (Self.count(source.slice, options), [])
    case .whole, .padded:
      var (counts, documents) = try Self.fit(source.slice, options)
      if source.packing == .whole {
        var random = SplitMix(seed, 0, Purpose.packing.rawValue)
        let order = random.permutation(documents.count)
        if options.shuffles && !options.keepsRows { documents = order.map { documents[$0] } }
        rows = Self.firstFit(documents, capacity: options.length + 1)
      } else {
        rows = documents.map { [$0] }
      }
      counts.rows = rows.count
      self.counts = counts
    }
    guard counts.countedTargets > 0 else {
      let lost = counts.dropped > 0 ? ": \(counts.dropped) documents are too long" : ""
      throw DatasetError(
        .empty,
        "no prediction counts\(lost)",
        at: source.slice.store.name,
        remedy: "use more text, or longer rows"
      )
    }
  }

  // MARK: Rows

  /// The documents and parts of documents in a row, as places in the store.
  mutating func segments(row: Int, epoch: Int) -> [Range<Int>] {
    prepare(epoch)
    guard packing == .packed else { return rows[rowOrder[row]] }
    let total = starts[starts.count - 1]
    let start = rowOrder[row] * options.length
    let range = start..<min(start + options.length + 1, total)
    // The last document that starts at or before the row.
    var (low, high) = (0, documentOrder.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= range.lowerBound { low = middle } else { high = middle }
    }
    var result: [Range<Int>] = []
    while low < documentOrder.count, starts[low] < range.upperBound {
      let inside = (starts[low]..<starts[low + 1]).clamped(to: range)
      let document = slice.range(documentOrder[low])
      let first = document.lowerBound + inside.lowerBound - starts[low]
      result.append(first..<first + inside.count)
      low += 1
    }
    return result
  }

  private mutating func prepare(_ epoch: Int) {
    guard self.epoch != epoch else { return }
    self.epoch = epoch
    rowOrder = order(counts.rows, epoch, .rows)
    guard packing == .packed else { return }
    let first = slice.documents.lowerBound
    documentOrder = order(slice.documents.count, epoch, .documents).map { $0 + first }
    starts = [0]
    starts.reserveCapacity(documentOrder.count + 1)
    var total = 0
    for document in documentOrder {
      total += slice.range(document).count
      starts.append(total)
    }
  }

  private func order(_ count: Int, _ epoch: Int, _ purpose: Purpose) -> [Int] {
    guard options.shuffles, purpose == .rows || !options.keepsRows else {
      return Array(0..<count)
    }
    var random = SplitMix(seed, UInt64(epoch), purpose.rawValue)
    return random.permutation(count)
  }

  // MARK: Making rows

  /// How many predictions count in a document that is taken alone.
  private static func targets(_ range: Range<Int>, _ words: UnsafeBufferPointer<UInt32>) -> Int {
    words[range].dropFirst().reduce(0) { $0 + ($1 & TokenStore.uncounted == 0 ? 1 : 0) }
  }

  private static func count(_ slice: TokenSlice, _ options: BatchOptions) -> PackingCounts {
    var counts = PackingCounts()
    counts.documents = slice.documents.count
    counts.tokens = slice.tokens.count
    counts.rows = max(1, (slice.tokens.count - 2) / options.length + 1)
    counts.countedTargets = slice.store.withWords { words in
      guard options.separatesDocuments else { return targets(slice.tokens, words) }
      return slice.documents.reduce(0) { $0 + targets(slice.range($1), words) }
    }
    return counts
  }

  /// The documents that go into rows whole, cut to fit where that is asked for.
  private static func fit(
    _ slice: TokenSlice,
    _ options: BatchOptions
  ) throws(DatasetError) -> (PackingCounts, [Range<Int>]) {
    let capacity = options.length + 1
    var (counts, documents) = (PackingCounts(), [Range<Int>]())
    for document in slice.documents {
      var range = slice.range(document)
      let isOverlong = range.count > capacity
      if isOverlong {
        switch options.overlong {
        case .cut: range = range.prefix(capacity)
        case .drop:
          counts.dropped += 1
          continue
        case .error:
          throw DatasetError(
            .tooLong,
            "a sample has \(range.count) tokens, and \(capacity) fit a row",
            at: "\(slice.store.name), sample \(document + 1)",
            remedy: "use longer rows, or let long samples be cut or dropped"
          )
        }
      }
      let counted = slice.store.withWords { targets(range, $0) }
      guard counted > 0 else {
        counts.withoutTargets += 1
        continue
      }
      if isOverlong { counts.cut += 1 }
      counts.countedTargets += counted
      counts.tokens += range.count
      documents.append(range)
    }
    counts.documents = documents.count
    return (counts, documents)
  }

  /// Puts documents into rows, each into the first open row that has room.
  static func firstFit(
    _ documents: [Range<Int>],
    capacity: Int,
    openLimit: Int = 256
  ) -> [[Range<Int>]] {
    var rows: [[Range<Int>]] = []
    var open: [(row: Int, room: Int)] = []
    for document in documents {
      if let index = open.firstIndex(where: { $0.room >= document.count }) {
        rows[open[index].row].append(document)
        open[index].room -= document.count
        // A document has two tokens at least.
        if open[index].room < 2 { open.remove(at: index) }
      } else {
        rows.append([document])
        if open.count == openLimit { open.removeFirst() }
        open.append((rows.count - 1, capacity - document.count))
      }
    }
    return rows
  }
}
