internal import Foundation

/// Hands out the records of a data set one after the other.
public final class RecordReader {
  private enum File {
    case json(JSONRecords)
    case text(TextRecords)
  }

  private let source: RecordSource
  private let chunkByteCount: Int
  /// What is still to be opened; reversed, so that the next is last.
  private var waiting: [URL]
  private var current: File?
  private var storyPosition = 0
  private var forms: Set<String> = []
  private var isFinished = false

  /// What was read until now.
  public private(set) var counts = RecordCounts()

  init(_ source: RecordSource, chunkByteCount: Int) {
    (self.source, self.chunkByteCount) = (source, chunkByteCount)
    if case .files(let urls) = source.origin { waiting = urls.reversed() } else { waiting = [] }
  }

  /// Returns the next record; nil after the last.
  ///
  /// - Throws: ``DatasetError`` if a file cannot be read, is not what its name says, or has a
  ///   broken record that is not to be skipped, and if the whole data set has no record.
  public func next() throws(DatasetError) -> Record? {
    guard !isFinished else { return nil }
    let isInsideDocument = lastEndedDocument == false
    if let limit = source.options.limit, counts.records >= limit, !isInsideDocument {
      isFinished = true
      return nil
    }
    guard let record = try advance() else {
      isFinished = true
      guard counts.records > 0 else { throw empty }
      return nil
    }
    if record.startsDocument { counts.records += 1 }
    if case .conversation = record.content { counts.conversations += 1 }
    lastEndedDocument = record.endsDocument
    return record
  }

  private var lastEndedDocument = true

  private var empty: DatasetError {
    let skipped = counts.broken > 0 ? " but \(counts.broken) broken ones" : ""
    let first = counts.firstBroken.map { " (\($0))" } ?? ""
    return DatasetError(
      .empty,
      "there is no record\(skipped)\(first)",
      at: source.name,
      remedy: "name data with text in it"
    )
  }

  private func advance() throws(DatasetError) -> Record? {
    switch source.origin {
    case .builtin(let text):
      guard current == nil else { return try nextOfFile() }
      current = .text(
        TextRecords(
          Memory(Array(try text.read().utf8)),
          location: text.description,
          separator: source.options.separator
        )
      )
      note(.plainText)
      return try nextOfFile()
    case .stories(let selection):
      guard storyPosition < selection.count else { return nil }
      storyPosition += 1
      note(.plainText)
      return Record(
        .text(selection.story(storyPosition - 1)),
        location: "\(selection):\(storyPosition)"
      )
    case .files:
      while true {
        if let record = try nextOfFile() { return record }
        guard let url = waiting.popLast() else { return nil }
        let bytes = try openBytes(url, chunkByteCount: chunkByteCount)
        let isJSON = RecordSource.isJSON(url, source.options)
        if !isJSON { note(.plainText) }
        current =
          isJSON
          ? .json(JSONRecords(bytes, location: url.relativePath, options: source.options))
          : .text(
            TextRecords(
              bytes,
              location: url.relativePath,
              separator: source.options.separator
            )
          )
      }
    }
  }

  private func note(_ form: RecordForm) {
    let form = form.description(textField: source.options.textField)
    if forms.insert(form).inserted { counts.forms = forms.sorted() }
  }

  /// The next record of the open file; nil at its end.
  private func nextOfFile() throws(DatasetError) -> Record? {
    switch current {
    case nil: return nil
    case .text(let records):
      if let record = try records.next() { return record }
    case .json(let records):
      while let item = try records.next() {
        if let form = records.form { note(form) }
        switch item {
        case .success(let record): return record
        case .failure(let error):
          guard source.options.skipBroken else { throw error }
          counts.broken += 1
          if counts.firstBroken == nil { counts.firstBroken = error.description }
        }
      }
    }
    if case .files = source.origin { current = nil }
    counts.files += 1
    return nil
  }

  /// Bytes that are in memory already.
  private final class Memory: ByteSource {
    private var bytes: [UInt8]?

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func next() -> [UInt8]? {
      defer { bytes = nil }
      return bytes
    }
  }
}
