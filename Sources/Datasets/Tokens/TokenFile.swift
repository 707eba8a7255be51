internal import CZlib
internal import Foundation

/// The file that keeps the tokens of a store.
///
///     0     “SLMTOKEN”              8    version, 4 bytes; CRC-32 of all after the head, 4 bytes
///     16    numbers of tokens, of documents, of bytes of the summary, 8 bytes each
///     40    the store's key, 64 digits, and zeros
///     128   tokens, 4 bytes each; starts of documents and the end, 8 bytes each; summary as JSON
///
/// All numbers are little-endian. Files are written under another name and renamed when complete.
struct TokenFile {
  /// Changes whenever the form of the file or the meaning of tokens does.
  static let version: UInt32 = 1
  static let headByteCount = 128
  static let magic = Array("SLMTOKEN".utf8)

  let folder: URL
  let key: String

  var url: URL { folder.appending(path: "tokens-\(key.prefix(32)).bin") }

  /// What the file starts with.
  struct Head: Equatable {
    var tokens: UInt64
    var documents: UInt64
    var summaryByteCount: UInt64
    var checksum: UInt32

    func bytes(key: String) -> [UInt8] {
      var bytes = TokenFile.magic
      func add(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
      }
      add(TokenFile.version)
      add(checksum)
      for value in [tokens, documents, summaryByteCount] { add(value) }
      bytes += Array(key.utf8.prefix(64))
      return bytes + [UInt8](repeating: 0, count: TokenFile.headByteCount - bytes.count)
    }

    /// Reads a head; nil if it is not one of this version and key.
    init?(_ bytes: [UInt8], key: String) {
      guard bytes.count == TokenFile.headByteCount else { return nil }
      func number(_ range: Range<Int>) -> UInt64 {
        bytes[range].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      }
      checksum = UInt32(truncatingIfNeeded: number(12..<16))
      (tokens, documents) = (number(16..<24), number(24..<32))
      summaryByteCount = number(32..<40)
      guard bytes == self.bytes(key: key) else { return nil }
    }

    init(tokens: Int, documents: Int, summaryByteCount: Int, checksum: UInt32) {
      (self.tokens, self.documents) = (UInt64(tokens), UInt64(documents))
      (self.summaryByteCount, self.checksum) = (UInt64(summaryByteCount), checksum)
    }

    /// The size of the whole file; nil if it cannot be.
    var fileByteCount: Int? {
      guard tokens < 1 << 48, documents < 1 << 48, summaryByteCount < 1 << 32 else { return nil }
      return TokenFile.headByteCount + Int(tokens) * 4 + (Int(documents) + 1) * 8
        + Int(summaryByteCount)
    }
  }

  // MARK: Reading

  /// Opens the file; nil if there is none, or not a whole one with these inputs.
  ///
  /// - Complexity: Reads the file once, to check it.
  func read(name: String) -> TokenStore? {
    guard let data = try? Data(contentsOf: url, options: .alwaysMapped),
      let head = Head(Array(data.prefix(Self.headByteCount)), key: key),
      head.fileByteCount == data.count
    else { return nil }
    let wordEnd = Self.headByteCount + Int(head.tokens) * 4
    let startsEnd = wordEnd + (Int(head.documents) + 1) * 8
    let content: (checksum: UInt32, starts: [Int]) = data.withUnsafeBytes { bytes in
      let rest = UnsafeRawBufferPointer(rebasing: bytes[Self.headByteCount...])
      let starts = stride(from: wordEnd, to: startsEnd, by: 8).map {
        Int(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
      }
      return (Self.checksum(rest, after: 0), starts)
    }
    let starts = content.starts
    guard content.checksum == head.checksum, starts.first == 0, starts.last == Int(head.tokens),
      zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }),
      let summary = try? JSONDecoder().decode(
        TokenStore.Summary.self,
        from: data.subdata(in: startsEnd..<data.count)
      ),
      summary.tokens == Int(head.tokens), summary.documents == Int(head.documents)
    else { return nil }
    return TokenStore(
      name: name,
      key: key,
      summary: summary,
      isFromCache: true,
      starts: starts,
      words: .mapped(data, Self.headByteCount..<wordEnd)
    )
  }

  static func checksum(_ bytes: UnsafeRawBufferPointer, after start: UInt32) -> UInt32 {
    let pointer = bytes.bindMemory(to: UInt8.self).baseAddress
    guard let pointer else { return start }
    return UInt32(truncatingIfNeeded: crc32_z(UInt(start), pointer, bytes.count))
  }

  // MARK: Writing

  func makeWriter() throws(DatasetError) -> Writer { try Writer(self) }

  /// Writes the file under another name, and removes that if it is not finished.
  final class Writer {
    private let file: TokenFile
    private let temporary: URL
    private let handle: FileHandle
    private var checksum: UInt32 = 0
    private var isFinished = false

    init(_ file: TokenFile) throws(DatasetError) {
      self.file = file
      temporary = file.folder.appending(path: ".tokens-\(UUID().uuidString).partial")
      do {
        try FileManager.default.createDirectory(
          at: file.folder,
          withIntermediateDirectories: true
        )
        try Data(count: TokenFile.headByteCount).write(to: temporary)
        handle = try FileHandle(forUpdating: temporary)
        try handle.seekToEnd()
      } catch {
        throw Self.unwritable(temporary, error)
      }
    }

    deinit {
      try? handle.close()
      if !isFinished { try? FileManager.default.removeItem(at: temporary) }
    }

    private static func unwritable(_ url: URL, _ error: any Error) -> DatasetError {
      DatasetError(
        .unwritable,
        "the tokens cannot be written (\(error.localizedDescription))",
        at: url.path,
        remedy: "make room, or name a folder you may write to"
      )
    }

    func write(_ words: [UInt32]) throws(DatasetError) {
      try write(words.withUnsafeBytes { Data($0) })
    }

    private func write(_ data: Data) throws(DatasetError) {
      checksum = data.withUnsafeBytes { TokenFile.checksum($0, after: checksum) }
      do { try handle.write(contentsOf: data) } catch { throw Self.unwritable(temporary, error) }
    }

    func finish(
      name: String,
      summary: TokenStore.Summary,
      starts: [Int]
    ) throws(DatasetError) -> TokenStore {
      try write(starts.map(Int64.init).withUnsafeBytes { Data($0) })
      do {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys  // Equal stores are equal files.
        let text = try encoder.encode(summary)
        try write(text)
        let head = Head(
          tokens: summary.tokens,
          documents: summary.documents,
          summaryByteCount: text.count,
          checksum: checksum
        )
        try handle.seek(toOffset: 0)
        try handle.write(contentsOf: Data(head.bytes(key: file.key)))
        try handle.close()
        try FileManager.default.moveReplacing(temporary, file.url)
        isFinished = true
        let data = try Data(contentsOf: file.url, options: .alwaysMapped)
        let words = TokenFile.headByteCount..<TokenFile.headByteCount + summary.tokens * 4
        return TokenStore(
          name: name,
          key: file.key,
          summary: summary,
          isFromCache: false,
          starts: starts,
          words: .mapped(data, words)
        )
      } catch {
        throw error as? DatasetError ?? Self.unwritable(file.url, error)
      }
    }
  }
}

extension FileManager {
  /// Renames a file over another in one step.
  fileprivate func moveReplacing(_ source: URL, _ target: URL) throws {
    guard rename(source.path, target.path) == 0 else {
      throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)
    }
  }
}
