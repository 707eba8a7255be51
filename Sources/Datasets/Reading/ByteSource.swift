internal import Foundation

/// Bytes read from front to back, a chunk at a time.
protocol ByteSource: AnyObject {
  /// Returns the next bytes, at least one; nil at the end.
  func next() throws(DatasetError) -> [UInt8]?
}

/// The bytes of a file, as stored.
final class FileBytes: ByteSource {
  private let path: String
  private let descriptor: Int32
  private let chunkByteCount: Int
  /// How many bytes have been handed out.
  private(set) var byteCount = 0

  /// Opens a regular file.
  ///
  /// - Throws: ``DatasetError`` if it is missing, a folder, or cannot be opened.
  init(_ url: URL, chunkByteCount: Int) throws(DatasetError) {
    path = url.path
    self.chunkByteCount = max(1, chunkByteCount)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw DatasetError(
        .unreadable,
        "there is no such file",
        at: path,
        remedy: "check the path, or use builtin:stories"
      )
    }
    guard !isFolder.boolValue else {
      throw DatasetError(
        .unreadable,
        "this is a folder",
        at: path,
        remedy: "name a text file in it"
      )
    }
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.unreadable(path, errno) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private static func unreadable(_ path: String, _ code: Int32) -> DatasetError {
    DatasetError(
      .unreadable,
      "the file cannot be read (\(String(cString: strerror(code))))",
      at: path,
      remedy: "check that you may read it"
    )
  }

  func next() throws(DatasetError) -> [UInt8]? {
    var code: Int32 = 0
    let chunk = [UInt8](unsafeUninitializedCapacity: chunkByteCount) { buffer, count in
      while count < buffer.count {
        let got = read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
        if got < 0 && errno == EINTR { continue }
        if got < 0 { code = errno }
        if got <= 0 { break }
        count += got
      }
    }
    guard code == 0 else { throw Self.unreadable(path, code) }
    byteCount += chunk.count
    return chunk.isEmpty ? nil : chunk
  }
}

/// Opens a file, decompressing it if it is gzip: by its first two bytes, or because its name
/// ends in `.gz`.
func openBytes(_ url: URL, chunkByteCount: Int) throws(DatasetError) -> any ByteSource {
  let file = try FileBytes(url, chunkByteCount: chunkByteCount)
  // No text in UTF-8 begins with these bytes, so looking cannot be wrong.
  let probe = try FileBytes(url, chunkByteCount: 2).next() ?? []
  guard probe == [0x1F, 0x8B] || url.pathExtension.lowercased() == "gz" else { return file }
  return try GzipBytes(file, location: url.path, chunkByteCount: chunkByteCount)
}

extension UnsafeRawBufferPointer {
  /// The offset of the first `byte` from `start` on; nil if there is none.
  func offset(of byte: UInt8, from start: Int) -> Int? {
    guard let base = baseAddress, start < count else { return nil }
    let found = memchr(base + start, Int32(byte), count - start)
    return found.map { UnsafeRawPointer($0) - base }
  }

  /// The offset of the first occurrence of `bytes`, at least one, from `start` on; nil if there is none.
  func offset(of bytes: [UInt8], from start: Int) -> Int? {
    guard let base = baseAddress, let first = bytes.first else { return nil }
    var place = offset(of: first, from: start)
    while let found = place, found + bytes.count <= count {
      if memcmp(base + found, bytes, bytes.count) == 0 { return found }
      place = offset(of: first, from: found + 1)
    }
    return nil
  }

  /// The number of line ends.
  var lineCount: Int {
    var (lines, position) = (0, 0)
    while let end = offset(of: UInt8(ascii: "\n"), from: position) {
      lines += 1
      position = end + 1
    }
    return lines
  }
}
