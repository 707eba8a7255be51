internal import Crypto
package import Foundation
package import Tensor

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
package final class TeacherCache {
  /// What decides the outputs beside the text.
  package struct Description: Codable, Equatable {
    package var version = 1
    /// The digest of the teacher's files.
    package var teacher: String
    /// How many tokens of the vocabulary count.
    package var vocabulary: Int
    /// How many tokens are kept.
    package var topK: Int
    /// What logits were divided by.
    package var temperature: Double
    /// The digest of the ids that stand for the same tokens, by whose places in the list tokens are
    /// numbered; nil if the first ids are the same.
    package var tokens: String?

    /// Describes a teacher and a way of keeping.
    package init(
      teacher: String,
      vocabulary: Int,
      topK: Int,
      temperature: Double,
      tokens: String? = nil
    ) {
      (self.teacher, self.vocabulary, self.topK) = (teacher, vocabulary, topK)
      (self.temperature, self.tokens) = (temperature, tokens)
    }
  }

  /// The digest of a row's tokens.
  package typealias Key = Data

  /// The file.
  package let file: URL
  /// How positions are written.
  package let coding: TokenCoding
  /// What decides the outputs.
  package let description: Description
  /// How many rows were found in the file, and how many were added.
  package private(set) var (found, added) = (0, 0)
  /// What was wrong with what was found.
  package private(set) var notes: [String] = []
  /// How many bytes at the file's end were no whole row and were cut off; nil for none.
  package private(set) var cutOff: Int?
  private let handle: FileHandle
  private var places: [Key: (offset: UInt64, positions: Int)] = [:]
  private var end: UInt64 = 0
  private static let headByteCount = 36

  /// Opens or creates a cache.
  ///
  /// - Throws: ``EvaluateError`` if the file cannot be made, or another process writes to it.
  package init(_ folder: URL, _ description: Description) throws {
    self.description = description
    coding = TokenCoding(count: description.topK, vocabulary: description.vocabulary)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    let text = try encoder.encode(description)
    let name = Self.digest(text).prefix(8).map { String(format: "%02x", $0) }.joined()
    let own = folder.appending(path: name)
    file = own.appending(path: "rows.bin")
    do {
      try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
    } catch {
      throw Self.unwritable("it cannot be made (\(error.localizedDescription))", own)
    }
    let descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw Self.unwritable("it cannot be made (\(String(cString: strerror(errno))))", own)
    }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    // Nothing is looked at or changed that another process may be about to write.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw Self.unwritable("another process writes to it", own)
    }
    let described = own.appending(path: Self.descriptionName)
    let kept = try? JSONDecoder().decode(Description.self, from: Data(contentsOf: described))
    do {
      if kept != description {
        if try handle.seekToEnd() > 0 {
          notes.append("kept outputs of another teacher were replaced")
          try handle.truncate(atOffset: 0)
        }
        try text.write(to: described, options: .atomic)
      }
    } catch {
      throw Self.unwritable("it cannot be written (\(error.localizedDescription))", own)
    }
    try index(cuts: true)
  }

  /// Opens a cache to read only.
  ///
  /// - Parameter own: The folder of one teacher and way of keeping.
  /// - Throws: ``EvaluateError`` if it cannot be read, or another process writes to it.
  package init(reading own: URL) throws {
    file = own.appending(path: "rows.bin")
    do {
      let described = try Data(contentsOf: own.appending(path: Self.descriptionName))
      description = try JSONDecoder().decode(Description.self, from: described)
      handle = try FileHandle(forReadingFrom: file)
    } catch {
      throw Self.failure("they are missing or damaged", own)
    }
    guard description.version == 1, description.vocabulary > 0,
      (1...MostLikelyTokens.largestCount).contains(description.topK)
    else { throw Self.failure("their description is damaged", own) }
    coding = TokenCoding(count: description.topK, vocabulary: description.vocabulary)
    guard flock(handle.fileDescriptor, LOCK_SH | LOCK_NB) == 0 else {
      throw Self.unwritable("another process writes to it", own)
    }
    try index(cuts: false)
  }

  /// The folders of teachers and ways of keeping that a folder is or holds, by name.
  package static func folders(in url: URL) -> [URL] {
    func describes(_ folder: URL) -> Bool {
      FileManager.default.fileExists(atPath: folder.appending(path: descriptionName).path)
    }
    if describes(url) { return [url] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return names.sorted().map { url.appending(path: $0) }.filter(describes)
  }

  static let descriptionName = "teacher.json"

  // A process that was just forked shares the open file, and with it the lock, until it executes
  // something: closing the file alone would not release it.
  deinit {
    flock(handle.fileDescriptor, LOCK_UN)
    try? handle.close()
  }

  /// Finds the rows, and cuts off what was not written to the end if asked.
  private func index(cuts: Bool) throws {
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
    guard end < size, cuts else { return }
    cutOff = Int(size - end)
    notes.append("\(size - end) bytes at the end are no whole row and were cut off")
    try handle.truncate(atOffset: end)
  }

  /// The digest under which a row is found.
  package static func key(_ tokens: ArraySlice<Int32>, starts: ArraySlice<Int32>) -> Key {
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
  /// - Throws: ``EvaluateError`` if the file cannot be read or written, or what `compute` throws.
  package func row(
    _ key: Key,
    positions: Int,
    _ compute: () throws -> MostLikelyTokens
  ) throws -> MostLikelyTokens {
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
      throw Self.unwritable("it cannot be written (\(error.localizedDescription))", file)
    }
    places[key] = (end, positions)
    end += UInt64(record.count)
    added += 1
    return known
  }

  /// Whether a row is kept, perhaps damaged.
  package func has(_ key: Key, positions: Int) -> Bool { places[key]?.positions == positions }

  /// The outputs on a row that are kept.
  ///
  /// - Returns: Nil if there are none.
  /// - Throws: ``EvaluateError`` if they are damaged.
  package func row(_ key: Key, positions: Int) throws -> MostLikelyTokens? {
    guard let place = places[key], place.positions == positions else { return nil }
    guard let known = try read(place.offset, key, positions) else {
      throw EvaluateError(
        .referenceUnusable,
        "the teacher's kept outputs are damaged in the row at byte \(place.offset)",
        at: file.path,
        remedy: "keep them again with the teacher; only damaged rows are computed"
      )
    }
    found += 1
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

  private static func failure(_ problem: String, _ place: URL) -> EvaluateError {
    EvaluateError(
      .referenceUnusable,
      "the teacher's kept outputs cannot be used: \(problem)",
      at: place.path,
      remedy: "keep them in another folder"
    )
  }

  private static func unwritable(_ problem: String, _ place: URL) -> EvaluateError {
    EvaluateError(
      .unwritable,
      "the teacher's outputs cannot be kept: \(problem)",
      at: place.path,
      remedy: "free it, or keep them in another folder"
    )
  }
}
