internal import Crypto
internal import Foundation
internal import Tensor

/// A teacher's outputs on rows of text, in a file to which rows are added as they are met.
///
/// A row is found by a digest of its tokens, so that any recipe whose rows are the same finds it,
/// in whatever order. The folder holds a folder for each teacher and way of keeping; in it lie
/// `teacher.json`, which says of what teacher the outputs are, and `rows.bin`:
///
///     digest of the row's tokens (16 bytes), positions (4), digest of the rest (16), positions as
///     TokenCoding writes them
///
/// A row that was not written to its end, as the process was ended, is cut off when the file is
/// opened, with everything that lies behind a damaged number of positions; one whose bytes are not
/// what was written is computed again.
final class TeacherCache {
  /// What decides the outputs beside the text.
  struct Description: Codable, Equatable {
    var version = 1
    /// The digest of the teacher's files.
    var teacher: String
    /// How many tokens of the vocabulary count.
    var vocabulary: Int
    /// How many tokens are kept.
    var topK: Int
    /// What logits were divided by.
    var temperature: Double
    /// The digest of the ids that stand for the same tokens, by whose places in the list tokens are
    /// numbered; nil if the first ids are the same.
    var tokens: String?
  }

  /// The digest of a row's tokens.
  typealias Key = Data

  /// The file.
  let file: URL
  let coding: TokenCoding
  /// How many rows were found in the file, and how many were added.
  private(set) var (found, added) = (0, 0)
  /// What was wrong with what was found.
  private(set) var notes: [String] = []
  /// How many bytes at the file's end were no whole row and were cut off; nil for none.
  private(set) var cutOff: Int?
  private let handle: FileHandle
  private var places: [Key: (offset: UInt64, positions: Int)] = [:]
  private var end: UInt64 = 0
  private static let headByteCount = 36

  /// Opens or creates a cache.
  ///
  /// - Throws: ``DistillError`` if the file cannot be made, or another process writes to it.
  init(_ folder: URL, _ description: Description) throws {
    coding = TokenCoding(count: description.topK, vocabulary: description.vocabulary)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    let text = try encoder.encode(description)
    let name = Self.digest(text).prefix(8).map { String(format: "%02x", $0) }.joined()
    let own = folder.appending(path: name)
    file = own.appending(path: "rows.bin")
    do {
      try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
      let described = own.appending(path: "teacher.json")
      let kept = try? JSONDecoder().decode(Description.self, from: Data(contentsOf: described))
      if kept != description {
        if FileManager.default.fileExists(atPath: file.path) {
          notes.append("kept outputs of another teacher were replaced")
          try FileManager.default.removeItem(at: file)
        }
        try text.write(to: described, options: .atomic)
      }
      if !FileManager.default.fileExists(atPath: file.path) { try Data().write(to: file) }
      handle = try FileHandle(forUpdating: file)
    } catch {
      throw Self.failure("it cannot be made (\(error.localizedDescription))", own)
    }
    guard flock(handle.fileDescriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw Self.failure("another process writes to it", own)
    }
    try index()
  }

  deinit { try? handle.close() }

  /// Finds the rows, and cuts off what was not written to the end.
  private func index() throws {
    let size = try handle.seekToEnd()
    while end + UInt64(Self.headByteCount) <= size {
      try handle.seek(toOffset: end)
      guard let head = try handle.read(upToCount: Self.headByteCount) else { break }
      let positions = head.dropFirst(16).prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      let next = end + UInt64(Self.headByteCount + positions * coding.byteCount)
      guard positions > 0, next <= size else { break }
      places[Data(head.prefix(16))] = (end, positions)
      end = next
    }
    guard end < size else { return }
    cutOff = Int(size - end)
    notes.append("\(size - end) bytes at the end are no whole row and were cut off")
    try handle.truncate(atOffset: end)
  }

  /// The digest under which a row is found.
  static func key(_ tokens: ArraySlice<Int32>, starts: ArraySlice<Int32>) -> Key {
    var data = Data()
    for number in [tokens, starts].joined() {
      withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) }
    }
    return digest(data)
  }

  /// The outputs on a row: those kept, or computed and kept.
  ///
  /// What was computed is read as it was written, so that it makes no difference.
  ///
  /// - Parameters:
  ///   - key: The row's digest.
  ///   - positions: The number of its positions.
  ///   - compute: Computes the outputs.
  /// - Returns: The outputs, one row for each position.
  /// - Throws: ``DistillError`` if the file cannot be read or written, or what `compute` throws.
  func row(_ key: Key, positions: Int, _ compute: () throws -> MostLikelyTokens) throws
    -> MostLikelyTokens
  {
    if let place = places[key], place.positions == positions {
      if let known = try read(place.offset, key, positions) {
        found += 1
        return known
      }
      notes.append("a damaged row was computed again")
    }
    var body = Data()
    coding.encode(try compute(), into: &body)
    guard let known = coding.decode(body) else {
      throw Self.failure("a row holds tokens outside the vocabulary", file)
    }
    var record = key
    withUnsafeBytes(of: UInt32(positions).littleEndian) { record.append(contentsOf: $0) }
    record += Self.digest(record + body) + body
    do {
      try handle.seek(toOffset: end)
      try handle.write(contentsOf: record)
    } catch {
      throw Self.failure("it cannot be written (\(error.localizedDescription))", file)
    }
    places[key] = (end, positions)
    end += UInt64(record.count)
    added += 1
    return known
  }

  private func read(_ offset: UInt64, _ key: Key, _ positions: Int) throws -> MostLikelyTokens? {
    try handle.seek(toOffset: offset)
    let length = Self.headByteCount + positions * coding.byteCount
    guard let record = try handle.read(upToCount: length), record.count == length else {
      return nil
    }
    let body = Data(record.dropFirst(Self.headByteCount))
    let check = Self.digest(Data(record.prefix(20)) + body)
    guard record.prefix(16) == key, record.dropFirst(20).prefix(16) == check else { return nil }
    return coding.decode(body)
  }

  private static func digest(_ data: Data) -> Data { Data(SHA256.hash(data: data).prefix(16)) }

  private static func failure(_ problem: String, _ place: URL) -> DistillError {
    DistillError(
      .cache,
      "the teacher's kept outputs cannot be used: \(problem)",
      at: place.path,
      remedy: "name another folder under `cache.path`"
    )
  }
}
