internal import Tensor

/// The header of a safetensors file, read and checked.
///
/// A file is 8 bytes with the length of the header (little-endian), the header in JSON, and the
/// tensors' bytes. The rules are those of the reference implementation: the header has at most
/// 100 MB and starts with `{`, keys differ, and the tensors' ranges cover the data without gap
/// or overlap.
struct SafetensorsHeader {
  var entries: [TensorEntry] = []
  var metadata: [String: String] = [:]

  /// The longest header that is read, in bytes.
  static let maximumByteCount = 100_000_000

  /// Reads the header of a mapped file.
  ///
  /// - Complexity: O(length of the header) time and memory.
  init(_ file: MappedFile) throws(CheckpointError) {
    defer { withExtendedLifetime(file) {} }
    let bytes = file.unsafeBytes
    guard bytes.count >= 8 else {
      throw CheckpointError(
        .truncated,
        "not a safetensors file: it has \(bytes.count) bytes",
        file: file.path,
        byteOffset: 0
      )
    }
    let announced = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard announced <= Self.maximumByteCount else {
      throw CheckpointError(
        .malformed,
        "not a safetensors file: a header of \(announced) bytes",
        file: file.path,
        byteOffset: 0
      )
    }
    let length = Int(announced)
    guard length <= bytes.count - 8 else {
      throw CheckpointError(
        .truncated,
        "the header has \(length) bytes, the file \(bytes.count)",
        file: file.path,
        byteOffset: 0
      )
    }
    let header = UnsafeRawBufferPointer(rebasing: bytes[8..<8 + length])
    guard header.first == UInt8(ascii: "{") else {
      throw CheckpointError(
        .malformed,
        "not a safetensors file: the header does not start with '{'",
        file: file.path,
        byteOffset: 8
      )
    }
    try read(header, dataStart: 8 + length, file: file)
    try checkRanges(dataStart: 8 + length, file: file)
  }

  private mutating func read(
    _ header: UnsafeRawBufferPointer,
    dataStart: Int,
    file: MappedFile
  ) throws(CheckpointError) {
    var scanner = JSONScanner(header, file: file.path, offset: 8)
    var entries: [TensorEntry] = []
    var metadata: [String: String] = [:]
    try scanner.readObject { name, scanner throws(CheckpointError) in
      if name == "__metadata__" {
        try scanner.readObject { key, scanner throws(CheckpointError) in
          metadata[key] = try scanner.readString()
        }
      } else {
        entries.append(
          try Self.readEntry(name, &scanner, dataStart: dataStart, file: file)
        )
      }
    }
    try scanner.finish()
    (self.entries, self.metadata) = (entries, metadata)
  }

  private static func readEntry(
    _ name: String,
    _ scanner: inout JSONScanner,
    dataStart: Int,
    file: MappedFile
  ) throws(CheckpointError) -> TensorEntry {
    var type: String?
    var extents: [Int]?
    var offsets: [Int]?
    try scanner.readObject { key, scanner throws(CheckpointError) in
      switch key {
      case "dtype": type = try scanner.readString()
      case "shape": extents = try scanner.readIntegers(limit: 64)
      case "data_offsets": offsets = try scanner.readIntegers(limit: 2)
      default: try scanner.skipValue()
      }
    }
    guard let type, let extents, let offsets, offsets.count == 2 else {
      throw scanner.error("tensor '\(name)' lacks dtype, shape or two data_offsets", name: name)
    }
    let (start, end) = (offsets[0], offsets[1])
    let dataByteCount = file.byteCount - dataStart
    guard start <= end else {
      throw scanner.error("tensor '\(name)' ends before it starts", name: name)
    }
    guard end <= dataByteCount else {
      throw CheckpointError(
        .truncated,
        "tensor '\(name)' ends at byte \(end) of the data, which has \(dataByteCount)",
        file: file.path,
        byteOffset: scanner.offset + scanner.position,
        name: name
      )
    }
    guard let count = extents.checkedProduct else {
      throw scanner.error("tensor '\(name)' has too many elements: \(extents)", name: name)
    }
    let encoding = SafetensorsType.encoding(named: type)
    let shape = Shape(extents)
    if let needed = byteCount(of: count, encoding) {
      guard needed == end - start else {
        throw scanner.error(
          "tensor '\(name)' has \(end - start) bytes, where \(shape) of \(type) takes \(needed)",
          name: name
        )
      }
    } else if count > TensorEncoding.unsizedElementLimit {
      throw scanner.error("tensor '\(name)' has too many elements: \(extents)", name: name)
    }
    return TensorEntry(
      name: name,
      encoding: encoding,
      shape: shape,
      byteRange: dataStart + start..<dataStart + end,
      file: file.path
    )
  }

  /// The size of `count` elements; −1 if it is no whole number of bytes or exceeds an `Int`, nil
  /// if the type is not known.
  private static func byteCount(of count: Int, _ encoding: TensorEncoding) -> Int? {
    let bits: Int
    switch encoding {
    case .elements(let dtype): bits = 8 * dtype.byteCount
    case .blocks: return -1
    case .unsupported(let name):
      guard let known = SafetensorsType.bitCount(ofUnsupported: name) else { return nil }
      bits = known
    }
    let (total, overflow) = count.multipliedReportingOverflow(by: bits)
    return overflow || total % 8 != 0 ? -1 : total / 8
  }

  /// Sorts the entries by their bytes and checks that these cover the data exactly.
  private mutating func checkRanges(
    dataStart: Int,
    file: MappedFile
  ) throws(CheckpointError) {
    entries.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound, $0.name)
        < ($1.byteRange.lowerBound, $1.byteRange.upperBound, $1.name)
    }
    var end = dataStart
    for entry in entries {
      guard entry.byteRange.lowerBound == end else {
        let relation = entry.byteRange.lowerBound < end ? "overlaps" : "leaves a gap after"
        throw CheckpointError(
          .malformed,
          "tensor '\(entry.name)' \(relation) the one before it",
          file: file.path,
          byteOffset: entry.byteRange.lowerBound,
          name: entry.name
        )
      }
      end = entry.byteRange.upperBound
    }
    guard end == file.byteCount else {
      throw CheckpointError(
        .malformed,
        "\(file.byteCount - end) bytes after the last tensor",
        file: file.path,
        byteOffset: end
      )
    }
  }
}
