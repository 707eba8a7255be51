import Foundation
import Testing

@testable import Datasets

/// A folder that is removed with the value's last use in a test.
final class TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "datasets-\(UUID())")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Writes a file and returns its path.
  @discardableResult
  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = url.appending(path: name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(),
      withIntermediateDirectories: true
    )
    try Data(bytes).write(to: file)
    return file.path
  }

  @discardableResult
  func file(_ name: String, _ text: String) throws -> String { try file(name, Array(text.utf8)) }
}

extension RecordSource {
  /// All records, and what was counted.
  func all(chunk: Int = 1 << 20) throws -> (records: [Record], counts: RecordCounts) {
    let reader = makeReader(chunkByteCount: chunk)
    var records: [Record] = []
    while let record = try reader.next() { records.append(record) }
    return (records, reader.counts)
  }

  func texts(chunk: Int = 1 << 20) throws -> [String] {
    try all(chunk: chunk).records.compactMap {
      guard case .text(let text) = $0.content else { return nil }
      return text
    }
  }

  func conversations() throws -> [[String]] {
    try all().records.compactMap {
      guard case .conversation(let conversation) = $0.content else { return nil }
      return conversation.messages.map { "\($0.role): \($0.content)" }
    }
  }
}

/// The error that reading ends with.
func datasetError(_ body: () throws -> Void) -> DatasetError? {
  do {
    try body()
    return nil
  } catch {
    return error as? DatasetError
  }
}

/// One token for each byte, 256 for the end.
let byteEncoder = TextEncoder(tokenizer: "bytes", endOfText: 256) { $0.utf8.map(Int32.init) }
