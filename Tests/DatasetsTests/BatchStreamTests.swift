import Foundation
import Testing

@testable import Datasets

/// A store of documents, of which the tokens given as negative numbers do not count.
func store(_ documents: [[Int32]], name: String = "test") -> TokenStore {
  var summary = TokenStore.Summary()
  summary.documents = documents.count
  summary.tokens = documents.reduce(0) { $0 + $1.count }
  let words = documents.joined().map { $0 < 0 ? UInt32(-$0) | TokenStore.uncounted : UInt32($0) }
  return TokenStore(
    name: name,
    key: "\(name) \(documents)",
    summary: summary,
    isFromCache: false,
    starts: documents.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.count) },
    words: .array(words)
  )
}

extension BatchStream {
  /// All batches, at most `limit`.
  mutating func batches(rows: Int, limit: Int = 1000) -> [TokenBatch] {
    var result: [TokenBatch] = []
    while result.count < limit, let batch = next(rows: rows) { result.append(batch) }
    return result
  }
}

@Suite("Batches")
struct BatchStreamTests {
  private func stream(
    _ documents: [[Int32]],
    _ packing: Packing,
    _ options: BatchOptions
  ) throws -> BatchStream {
    try BatchStream(
      [BatchSource(store(documents).all, packing: packing, epochs: 1)],
      options: options
    )
  }

  @Test("packed documents are cut into rows that share a token; boundaries are not predicted")
  func packed() throws {
    let documents: [[Int32]] = [[1, 2, 3, 9], [4, 5, 9], [6, -7, 8, 9]]
    var stream = try stream(documents, .packed, BatchOptions(length: 4, shuffles: false))
    #expect(stream.rowCount == 3)
    let next = stream.next(rows: 5)
    let batch = try #require(next)
    #expect(batch.rows == 3)
    #expect(batch.columns == 4)
    #expect(batch.tokens == [1, 2, 3, 9, 4, 5, 9, 6, 7, 8, 9, 0])
    #expect(batch.targets == [2, 3, 9, -1, 5, 9, -1, -1, 8, 9, -1, -1])
    #expect(batch.documentStarts == [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3])
    #expect(batch.countedTargets == stream.counts[0].countedTargets)
    let after = stream.next(rows: 1)
    #expect(after == nil)
    #expect(stream.epochs == [1])
  }

  @Test("documents that are not separated see and predict each other")
  func unseparated() throws {
    let options = BatchOptions(length: 4, separatesDocuments: false, shuffles: false)
    var stream = try stream([[1, 2, 9], [3, -4, 9]], .packed, options)
    let next = stream.next(rows: 2)
    let batch = try #require(next)
    #expect(batch.tokens == [1, 2, 9, 3, 4, 9, 0, 0])
    #expect(batch.targets == [2, 9, 3, -1, 9, -1, -1, -1])
    #expect(batch.documentStarts == [0, 0, 0, 0, 0, 0, 2, 2])
  }

  @Test("whole documents go into the first row with room")
  func whole() throws {
    let documents: [[Int32]] = [[1, 2, 3], [4, 5, 6, 7], [8, 9], [10, -11, 12]]
    let options = BatchOptions(length: 5, shuffles: false, paddingToken: 77)
    var stream = try stream(documents, .whole, options)
    let next = stream.next(rows: 9)
    let batch = try #require(next)
    #expect(batch.rows == 3)
    #expect(batch.tokens == [1, 2, 3, 8, 9, 4, 5, 6, 7, 77, 10, 11, 12, 77, 77])
    #expect(batch.targets == [2, 3, -1, 9, -1, 5, 6, 7, -1, -1, -1, 12, -1, -1, -1])
    #expect(batch.documentStarts == [0, 0, 0, 3, 3, 0, 0, 0, 0, 4, 0, 0, 0, 3, 3])
    #expect(stream.counts[0].rows == 3)
    #expect(stream.counts[0].tokens == 12)
  }

  @Test("a row of whole documents, by hand")
  func wholeByHand() throws {
    let documents: [[Int32]] = [[1, 2, 3], [4, -5, 6], [7, 8]]
    var stream = try stream(
      documents,
      .whole,
      BatchOptions(length: 7, shuffles: false, paddingToken: 70)
    )
    let next = stream.next(rows: 1)
    let batch = try #require(next)
    #expect(batch.tokens == [1, 2, 3, 4, 5, 6, 7])
    #expect(batch.targets == [2, 3, -1, -1, 6, -1, 8])
    #expect(batch.documentStarts == [0, 0, 0, 3, 3, 3, 6])
  }

  @Test("padded rows are as long as the longest of the batch")
  func padded() throws {
    let documents: [[Int32]] = [[1, 2], [3, 4, 5, 6], [7, 8, 9]]
    let options = BatchOptions(length: 8, shuffles: false, paddingToken: 50)
    var stream = try stream(documents, .padded, options)
    let next = stream.next(rows: 2)
    let batch = try #require(next)
    #expect(batch.columns == 3)
    #expect(batch.tokens == [1, 2, 50, 3, 4, 5])
    #expect(batch.targets == [2, -1, -1, 4, 5, 6])
    #expect(batch.documentStarts == [0, 0, 2, 0, 0, 0])
    let last = stream.next(rows: 2)
    #expect(last?.rows == 1)
  }

  @Test("samples that do not fit are an error, cut, or dropped, and counted")
  func overlong() throws {
    let documents: [[Int32]] = [[1, 2, 3, 4, 5], [-1, -2, -3, 4], [6, 7], [-8, -9]]
    func counts(_ rule: OverlongRule) throws -> PackingCounts {
      try stream(documents, .whole, BatchOptions(length: 2, overlong: rule)).counts[0]
    }
    let error = datasetError { _ = try counts(.error) }
    #expect(error?.code == .tooLong)
    #expect(error?.location == "test, sample 1")
    #expect(error?.problem == "a sample has 5 tokens, and 3 fit a row")
    let cut = try counts(.cut)
    #expect((cut.cut, cut.dropped, cut.withoutTargets, cut.documents) == (1, 0, 2, 2))
    let dropped = try counts(.drop)
    #expect((dropped.cut, dropped.dropped, dropped.documents) == (0, 2, 1))
    #expect(throws: DatasetError.self) {
      try stream([[1, 2, 3, 4]], .padded, BatchOptions(length: 2, overlong: .drop))
    }
  }

  @Test("options that make no sense are errors")
  func invalid() throws {
    let slice = store([[1, 2, 3]]).all
    func code(_ sources: [BatchSource], _ options: BatchOptions) -> DatasetError.Code? {
      datasetError { _ = try BatchStream(sources, options: options) }?.code
    }
    let fine = BatchOptions(length: 2)
    for weight in [0, -1, Double.infinity, .nan] {
      #expect(code([BatchSource(slice, weight: weight)], fine) == .invalidOptions)
    }
    #expect(code([], fine) == .invalidOptions)
    #expect(code([BatchSource(slice, epochs: 0)], fine) == .invalidOptions)
    #expect(code([BatchSource(slice)], BatchOptions(length: 0)) == .invalidOptions)
    #expect(
      code([BatchSource(slice)], BatchOptions(length: 1, paddingToken: -1)) == .invalidOptions
    )
    #expect(code([BatchSource(store([[1], [-2, -3]]).all)], fine) == .empty)
  }
}

@Suite("Order of batches")
struct BatchOrderTests {
  /// Documents of random lengths; all tokens differ.
  private func documents(_ count: Int, from start: Int32, seed: UInt64) -> [[Int32]] {
    var random = SplitMix(seed: seed)
    var next = start
    return (0..<count).map { _ in
      let length = Int32(2 + random.index(below: 12))
      defer { next += length }
      return Array(next..<next + length)
    }
  }

  @Test("each epoch has each prediction once, in another order", arguments: 0..<12)
  func epochs(seed: UInt64) throws {
    let documents = documents(40, from: 1, seed: seed)
    let packing = Packing.allCases[Int(seed % 3)]
    let source = BatchSource(store(documents).all, packing: packing, epochs: 2)
    let length = packing == .packed ? 3 + Int(seed) : 13
    var stream = try BatchStream([source], options: BatchOptions(length: length, seed: seed))
    let rows = stream.counts[0].rows
    let epochs = [stream.batches(rows: 1, limit: rows), stream.batches(rows: 1, limit: rows)]
    let after = stream.next(rows: 1)
    #expect(after == nil)
    #expect(epochs[0] != epochs[1])
    for epoch in epochs {
      let targets = epoch.flatMap(\.targets).filter { $0 >= 0 }
      #expect(targets.sorted() == documents.flatMap { $0.dropFirst() }.sorted())
      #expect(targets.count == stream.counts[0].countedTargets)
      for batch in epoch {
        for (index, target) in batch.targets.enumerated() where target >= 0 {
          #expect(target == batch.tokens[index] + 1)
        }
        for column in 0..<batch.columns {
          let start = Int(batch.documentStarts[column])
          #expect(start <= column)
          #expect(start == 0 || batch.targets[start - 1] < 0)
          #expect(batch.documentStarts[start] == Int32(start))
        }
      }
    }
  }

  @Test("the same seed gives the same batches, another seed others")
  func seeds() throws {
    let source = BatchSource(store(documents(30, from: 1, seed: 4)).all, epochs: 2)
    func batches(_ seed: UInt64) throws -> [TokenBatch] {
      var stream = try BatchStream([source], options: BatchOptions(length: 5, seed: seed))
      return stream.batches(rows: 3)
    }
    #expect(try batches(1) == batches(1))
    #expect(try batches(1) != batches(2))
  }

  @Test("the order is the one that was published with the format")
  func pinned() throws {
    var random = SplitMix(seed: 42)
    let order = random.permutation(8)
    #expect(order == Self.pinnedOrder)
    // The first outputs of SplitMix64 for 1234567, from Vigna's splitmix64.c.
    var known = SplitMix(seed: 1_234_567)
    let outputs = [known.next(), known.next()]
    #expect(outputs == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973])
  }
  private static let pinnedOrder = [4, 3, 2, 0, 7, 6, 1, 5]

  @Test("rows come in proportion to the weights, at every time", arguments: 0..<6)
  func mixing(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let weights = (0..<3).map { _ in 0.2 + Double(random.index(below: 50)) }
    let sources = weights.enumerated().map { index, weight in
      BatchSource(
        store(documents(10, from: Int32(index) * 1000 + 1, seed: seed), name: "\(index)").all,
        weight: weight
      )
    }
    var stream = try BatchStream(sources, options: BatchOptions(length: 4, seed: seed))
    #expect(stream.rowCount == nil)
    var counts = [0.0, 0, 0]
    let sum = weights.reduce(0, +)
    for row in 1...400 {
      let next = stream.next(rows: 1)
      let batch = try #require(next)
      counts[Int(batch.tokens[0] / 1000)] += 1
      for (count, weight) in zip(counts, weights) {
        #expect(abs(count - Double(row) * weight / sum) < 2)
      }
    }
    #expect(stream.epochs.reduce(0, +) > 3)
  }

  @Test("a source that ends leaves the rest to the others")
  func ending() throws {
    let short = BatchSource(store(documents(3, from: 1, seed: 1), name: "a").all, epochs: 1)
    let long = BatchSource(store(documents(9, from: 1001, seed: 2), name: "b").all, epochs: 2)
    var stream = try BatchStream([short, long], options: BatchOptions(length: 4))
    let batches = stream.batches(rows: 1)
    #expect(batches.count == stream.rowCount)
    #expect(batches.count == stream.counts[0].rows + 2 * stream.counts[1].rows)
    #expect(batches.suffix(5).allSatisfy { $0.tokens[0] > 1000 })
    #expect(stream.epochs == [1, 2])
  }

  @Test("a stream that is restored goes on with the same batches", arguments: 0..<10)
  func resuming(seed: UInt64) throws {
    let sources = [
      BatchSource(store(documents(12, from: 1, seed: seed), name: "a").all, weight: 3),
      BatchSource(
        store(documents(7, from: 1001, seed: seed), name: "b").all,
        packing: .whole,
        weight: 1.1,
        epochs: 3
      ),
      BatchSource(store(documents(5, from: 2001, seed: seed), name: "c").all, packing: .padded),
    ]
    let options = BatchOptions(length: 13, seed: seed)
    var stream = try BatchStream(sources, options: options)
    _ = stream.batches(rows: 3, limit: Int(seed) * 7)
    let saved = try JSONEncoder().encode(stream.state)
    let expected = stream.batches(rows: 2, limit: 30)
    var restored = try BatchStream(sources, options: options)
    _ = restored.next(rows: 5)
    try restored.restore(JSONDecoder().decode(BatchStreamState.self, from: saved))
    let resumed = restored.batches(rows: 2, limit: 30)
    #expect(resumed == expected)
    #expect(restored.epochs == stream.epochs)
  }

  @Test("a state of other data or options is refused")
  func otherState() throws {
    let slice = store(documents(5, from: 1, seed: 0)).all
    let options = BatchOptions(length: 4)
    let state = try BatchStream([BatchSource(slice)], options: options).state
    var changed = options
    changed.seed = 1
    for (source, options) in [
      (BatchSource(slice), changed), (BatchSource(slice, weight: 2), options),
      (BatchSource(store(documents(5, from: 2, seed: 0)).all), options),
      (BatchSource(try slice.split(lastFraction: 0.5).first), options),
    ] {
      var stream = try BatchStream([source], options: options)
      #expect(datasetError { try stream.restore(state) }?.code == .otherData)
    }
  }

  @Test("a slice has only its own tokens")
  func slices() throws {
    let documents = documents(10, from: 1, seed: 3)
    let (first, last) = try store(documents).all.split(lastFraction: 0.3)
    func tokens(_ slice: TokenSlice) throws -> [Int32] {
      var stream = try BatchStream(
        [BatchSource(slice, epochs: 1)],
        options: BatchOptions(length: 1, separatesDocuments: false, shuffles: false)
      )
      let batches = stream.batches(rows: 1)
      return [batches[0].tokens[0]] + batches.flatMap(\.targets)
    }
    #expect(try tokens(first) + tokens(last) == documents.flatMap { $0 })
  }
}
