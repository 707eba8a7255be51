internal import CZlib

/// The decompressed bytes of a gzip file, of one member or several.
///
/// Zeros after the last member are padding, as gzip(1) and Python's `gzip` have it.
///
/// Source: Deutsch, *GZIP file format specification*, 1996, RFC 1952, through zlib.
final class GzipBytes: ByteSource {
  private let file: FileBytes
  private let location: String
  private let chunkByteCount: Int
  // On the heap: zlib's state points back at it.
  private let stream: UnsafeMutablePointer<z_stream>
  private var input: [UInt8] = []
  /// How much of `input` has been decompressed.
  private var used = 0
  private var isInsideMember = false
  private var memberCount = 0

  /// Starts to decompress.
  ///
  /// - Throws: ``DatasetError`` if zlib has no memory.
  init(
    _ file: FileBytes,
    location: String,
    chunkByteCount: Int
  ) throws(DatasetError) {
    (self.file, self.location) = (file, location)
    self.chunkByteCount = max(1, chunkByteCount)
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let size = Int32(MemoryLayout<z_stream>.size)
    // Windows of up to 2¹⁵ bytes; 16 more asks for the gzip format.
    let code = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, size)
    guard code == Z_OK else { throw corrupt("zlib cannot start (code \(code))") }
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func next() throws(DatasetError) -> [UInt8]? {
    while true {
      if used == input.count {
        guard let chunk = try file.next() else {
          guard !isInsideMember, memberCount > 0 else { throw corrupt("the file is cut off") }
          return nil
        }
        (input, used) = (chunk, 0)
      }
      if !isInsideMember {
        if memberCount > 0 { skipZeros() }
        guard used < input.count else { continue }
        isInsideMember = true
      }
      let output = try decompress()
      if !output.isEmpty { return output }
    }
  }

  private func skipZeros() {
    while used < input.count, input[used] == 0 { used += 1 }
  }

  /// Decompresses what is at hand, one chunk at most.
  private func decompress() throws(DatasetError) -> [UInt8] {
    var code = Z_OK
    let output = [UInt8](unsafeUninitializedCapacity: chunkByteCount) { buffer, count in
      input.withUnsafeMutableBufferPointer { bytes in
        stream.pointee.next_in = bytes.baseAddress.map { $0 + used }
        stream.pointee.avail_in = UInt32(clamping: bytes.count - used)
        stream.pointee.next_out = buffer.baseAddress
        stream.pointee.avail_out = UInt32(clamping: buffer.count)
        code = inflate(stream, Z_NO_FLUSH)
        used = bytes.count - Int(stream.pointee.avail_in)
        count = buffer.count - Int(stream.pointee.avail_out)
      }
    }
    switch code {
    case Z_OK, Z_BUF_ERROR: break  // The second: more input is needed.
    case Z_STREAM_END:
      isInsideMember = false
      memberCount += 1
      inflateReset(stream)
    default:
      let reason = stream.pointee.msg.map { String(cString: $0) } ?? "code \(code)"
      let what = memberCount == 0 ? "this is not gzip" : "what follows is not gzip"
      throw corrupt(reason == "incorrect header check" ? what : "the data is damaged (\(reason))")
    }
    return output
  }

  private func corrupt(_ problem: String) -> DatasetError {
    DatasetError(
      .corrupt,
      problem,
      at: "\(location): byte \(file.byteCount - input.count + used)",
      remedy: "fetch or compress the file anew; gzip -t checks it"
    )
  }
}
