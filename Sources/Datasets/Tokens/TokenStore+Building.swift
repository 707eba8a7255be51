internal import Crypto
public import Foundation

extension TokenStore {
  /// Turns a data set into tokens, or finds the tokens that an earlier call left in a folder.
  ///
  /// Records are read and encoded a few megabytes at a time, by several threads; neither their
  /// number nor what is in the folder changes the result.
  ///
  /// - Parameters:
  ///   - source: The data set.
  ///   - encoder: Turns records into tokens.
  ///   - cacheFolder: Where tokens are kept, made if it is missing; the file's name is a hash of
  ///     the data, the options and the encoder. A file that is damaged is made anew. Nil to keep
  ///     all tokens in memory, four bytes each.
  ///   - threadCount: How many threads encode; nil for one per processor.
  ///   - progress: Called now and then with the number of tokens so far.
  /// - Throws: ``DatasetError`` if the data cannot be read, has no record or no token that counts,
  ///   or the file cannot be written; and what the encoder throws.
  public init(
    _ source: RecordSource,
    encoder: any RecordEncoder,
    cacheFolder: URL? = nil,
    threadCount: Int? = nil,
    progress: (_ tokens: Int) -> Void = { _ in }
  ) throws {
    let key = try Self.key(source, encoder)
    let file = cacheFolder.map { TokenFile(folder: $0, key: key) }
    if let kept = file?.read(name: source.name) {
      self = kept
      return
    }
    var builder = try TokenStoreBuilder(file: file)
    let reader = source.makeReader()
    let threads = max(1, threadCount ?? ProcessInfo.processInfo.activeProcessorCount)
    while true {
      let records = try Self.someRecords(reader)
      if records.isEmpty { break }
      for (record, result) in zip(records, Self.encode(records, encoder, threads)) {
        try builder.append(result.get(), of: record)
      }
      progress(builder.summary.tokens)
    }
    builder.summary.records = reader.counts
    guard builder.summary.counted > 0 else {
      throw DatasetError(
        .empty,
        "no token of \(reader.counts.records) records counts",
        at: source.name,
        remedy: "name data with text or answers in it"
      )
    }
    self = try builder.finish(name: source.name, key: key)
  }

  private static func key(_ source: RecordSource, _ encoder: any RecordEncoder) throws -> String {
    let parts = ["\(TokenFile.version)", try source.contentHash(), encoder.identity]
    return SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).hexadecimal
  }

  private static func someRecords(_ reader: RecordReader) throws(DatasetError) -> [Record] {
    var (records, byteCount) = ([Record](), 0)
    while byteCount < 1 << 22, records.count < 8192, let record = try reader.next() {
      records.append(record)
      byteCount += record.content.byteCount
    }
    return records
  }

  /// Encodes records; the results are in the records' order.
  private static func encode(
    _ records: [Record],
    _ encoder: any RecordEncoder,
    _ threadCount: Int
  ) -> [Result<TrainingSample?, any Error>] {
    var results = [Result<TrainingSample?, any Error>](
      repeating: .success(nil),
      count: records.count
    )
    let workers = min(threadCount, records.count)
    results.withUnsafeMutableBufferPointer { slots in
      // Each worker writes its own slots.
      nonisolated(unsafe) let slots = slots
      DispatchQueue.concurrentPerform(iterations: workers) { worker in
        for index in stride(from: worker, to: records.count, by: workers) {
          slots[index] = Result { try encoder.encode(records[index]) }
        }
      }
    }
    return results
  }
}

extension Record.Content {
  /// About how much memory the record takes.
  fileprivate var byteCount: Int {
    switch self {
    case .text(let text): text.utf8.count
    case .conversation(let conversation):
      conversation.messages.reduce(0) { $0 + $1.content.utf8.count }
    }
  }
}

/// Gathers the tokens of a store.
struct TokenStoreBuilder {
  var summary = TokenStore.Summary()
  private var starts = [0]
  private var words: [UInt32] = []
  private var writer: TokenFile.Writer?

  init(file: TokenFile?) throws(DatasetError) {
    writer = try file.map { file throws(DatasetError) in try file.makeWriter() }
  }

  /// Adds the tokens of a record.
  mutating func append(_ sample: TrainingSample?, of record: Record) throws(DatasetError) {
    if let sample {
      guard sample.tokens.count == sample.counts.count else {
        throw Self.broken("\(sample.tokens.count) tokens with \(sample.counts.count) marks", record)
      }
      for (token, isCounted) in zip(sample.tokens, sample.counts) {
        guard token >= 0 else { throw Self.broken("token \(token) is negative", record) }
        words.append(UInt32(token) | (isCounted ? 0 : TokenStore.uncounted))
        summary.largestToken = max(summary.largestToken, token)
        if isCounted { summary.counted += 1 }
      }
      summary.tokens += sample.tokens.count
    }
    if record.endsDocument {
      if summary.tokens > starts[starts.count - 1] {
        starts.append(summary.tokens)
        summary.documents += 1
      } else {
        summary.withoutTokens += 1
      }
    }
    if words.count >= 1 << 20, writer != nil {
      try writer?.write(words)
      words.removeAll(keepingCapacity: true)
    }
  }

  private static func broken(_ problem: String, _ record: Record) -> DatasetError {
    DatasetError(.brokenRecord, problem, at: record.location, remedy: "correct the encoder")
  }

  /// Ends the store.
  mutating func finish(name: String, key: String) throws(DatasetError) -> TokenStore {
    guard let file = writer else {
      return TokenStore(
        name: name,
        key: key,
        summary: summary,
        isFromCache: false,
        starts: starts,
        words: .array(words)
      )
    }
    try file.write(words)
    return try file.finish(name: name, summary: summary, starts: starts)
  }
}
