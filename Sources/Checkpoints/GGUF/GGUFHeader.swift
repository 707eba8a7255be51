internal import Tensor

/// The header of a GGUF file, read and checked.
///
/// It is the magic `GGUF`, a version, the counts of tensors and of metadata keys, the metadata,
/// and for each tensor its name, extents, type and offset. The data follow at the next multiple
/// of the alignment.
struct GGUFHeader {
  private(set) var version = 0
  private(set) var alignment = 32
  private(set) var metadata = GGUFMetadata()
  private(set) var entries: [TensorEntry] = []

  /// The most axes a tensor has in ggml.
  static let maximumRank = 4

  /// A tensor as announced, before it is known where the data start.
  private struct Announced {
    var name: String
    var shape: Shape
    var encoding: TensorEncoding
    var offset: UInt64
    /// Where the announcement stands in the file.
    var position: Int
  }

  init(_ file: MappedFile) throws(CheckpointError) {
    defer { withExtendedLifetime(file) {} }
    var decoder = GGUFDecoder(file.unsafeBytes, path: file.path)
    try readVersion(&decoder)
    // A tensor takes at least its name's length, rank, type and offset; a key its length and type
    // and a byte.
    let tensorCount = try decoder.readCount(of: "tensors", ofAtLeast: 24)
    let keyCount = try decoder.readCount(of: "metadata keys", ofAtLeast: 13)
    metadata.path = file.path
    for _ in 0..<keyCount {
      let start = decoder.position
      let key = try decoder.readString("metadata key")
      if metadata[key] != nil {
        throw decoder.error(.malformed, "metadata key '\(key)' occurs twice", at: start, name: key)
      }
      metadata[key] = try decoder.readValue(in: file)
    }
    try readAlignment(decoder)
    var announced: [Announced] = []
    for _ in 0..<tensorCount { announced.append(try Self.readTensor(&decoder)) }
    try place(announced, decoder)
  }

  private mutating func readVersion(_ decoder: inout GGUFDecoder) throws(CheckpointError) {
    guard decoder.left >= 8 else {
      throw decoder.error(.truncated, "not a GGUF file: it has \(decoder.left) bytes")
    }
    let magic = try decoder.read(UInt32.self)
    guard magic == 0x4655_4747 else {
      let swapped = magic == UInt32(0x4655_4747).byteSwapped
      throw decoder.error(
        swapped ? .unsupported : .malformed,
        swapped ? "a big-endian GGUF file" : "not a GGUF file: it does not start with 'GGUF'",
        at: 0
      )
    }
    let number = try decoder.read(UInt32.self)
    guard number & 0xFFFF != 0 || number == 0 else {
      throw CheckpointError(
        .unsupported,
        "a big-endian GGUF file",
        file: decoder.path,
        byteOffset: 4,
        remedy: "convert it to little-endian with gguf-py's gguf_convert_endian.py"
      )
    }
    guard number == 2 || number == 3 else {
      throw CheckpointError(
        .unsupported,
        "GGUF version \(number), where 2 and 3 can be read",
        file: decoder.path,
        byteOffset: 4,
        remedy: "convert the model again with a current llama.cpp"
      )
    }
    version = Int(number)
  }

  private mutating func readAlignment(_ decoder: GGUFDecoder) throws(CheckpointError) {
    guard let value = metadata["general.alignment"] else { return }
    guard case .uint32(let number) = value, number.nonzeroBitCount == 1 else {
      throw decoder.error(
        .malformed,
        "general.alignment is \(value), not a 32-bit power of two",
        name: "general.alignment"
      )
    }
    alignment = Int(number)
  }

  private static func readTensor(
    _ decoder: inout GGUFDecoder
  ) throws(CheckpointError) -> Announced {
    let position = decoder.position
    let name = try decoder.readString("tensor name")
    let rank = try decoder.read(UInt32.self)
    guard rank <= maximumRank else {
      throw decoder.error(
        .malformed,
        "tensor '\(name)' has \(rank) axes, at most \(maximumRank) are allowed",
        at: position,
        name: name
      )
    }
    var extents: [Int] = []
    for _ in 0..<rank {
      let extent = try decoder.read(UInt64.self)
      guard let extent = Int(exactly: extent) else {
        throw decoder.error(
          .malformed,
          "tensor '\(name)' has an extent of \(extent)",
          at: position,
          name: name
        )
      }
      extents.append(extent)
    }
    guard extents.checkedProduct != nil else {
      throw decoder.error(
        .malformed,
        "tensor '\(name)' has too many elements: \(extents)",
        at: position,
        name: name
      )
    }
    let encoding = GGUFType.encoding(try decoder.read(UInt32.self))
    let offset = try decoder.read(UInt64.self)
    return Announced(
      name: name,
      shape: Shape(extents.reversed()),
      encoding: encoding,
      offset: offset,
      position: position
    )
  }

  /// Turns offsets into places in the file.
  private mutating func place(
    _ announced: [Announced],
    _ decoder: GGUFDecoder
  ) throws(CheckpointError) {
    // Neither sum can overflow: the header lies within the file, an alignment has 32 bits.
    let dataStart = (decoder.position + alignment - 1) / alignment * alignment
    let dataByteCount = max(0, decoder.bytes.count - dataStart)
    var names: Set<String> = []
    for tensor in announced {
      func error(_ code: CheckpointError.Code, _ problem: String) -> CheckpointError {
        decoder.error(
          code,
          "tensor '\(tensor.name)' \(problem)",
          at: tensor.position,
          name: tensor.name
        )
      }
      guard names.insert(tensor.name).inserted else { throw error(.malformed, "occurs twice") }
      guard let offset = Int(exactly: tensor.offset), offset % alignment == 0 else {
        throw error(
          .malformed,
          "has offset \(tensor.offset), not a multiple of \(alignment)"
        )
      }
      let byteCount = try Self.byteCount(tensor, orThrow: error)
      // Of a type unknown here not even the size is known; its bytes are not offered.
      let (end, overflow) = offset.addingReportingOverflow(byteCount ?? 0)
      guard !overflow && (end <= dataByteCount || byteCount == 0) else {
        throw error(.truncated, "ends at byte \(end) of the data, which has \(dataByteCount)")
      }
      let start = min(dataStart + min(offset, dataByteCount), decoder.bytes.count)
      entries.append(
        TensorEntry(
          name: tensor.name,
          encoding: tensor.encoding,
          shape: tensor.shape,
          byteRange: start..<start + (byteCount ?? 0),
          file: decoder.path
        )
      )
    }
    try checkOverlaps(decoder)
  }

  private static func byteCount(
    _ tensor: Announced,
    orThrow error: (CheckpointError.Code, String) -> CheckpointError
  ) throws(CheckpointError) -> Int? {
    if case .unsupported(let name) = tensor.encoding {
      let count = tensor.shape.count
      if let byteCount = GGUFType.byteCount(of: count, unreadable: name) { return byteCount }
      guard count <= TensorEncoding.unsizedElementLimit else {
        throw error(.malformed, "has too many elements: \(tensor.shape)")
      }
      return nil
    }
    guard let byteCount = tensor.encoding.byteCount(of: tensor.shape) else {
      throw error(
        .malformed,
        "of shape \(tensor.shape) does not fill whole blocks of \(tensor.encoding)"
      )
    }
    return byteCount
  }

  private mutating func checkOverlaps(_ decoder: GGUFDecoder) throws(CheckpointError) {
    entries.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound)
        < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    var end = 0
    for entry in entries where !entry.byteRange.isEmpty {
      guard entry.byteRange.lowerBound >= end else {
        throw decoder.error(
          .malformed,
          "tensor '\(entry.name)' overlaps the one before it",
          at: entry.byteRange.lowerBound,
          name: entry.name
        )
      }
      end = entry.byteRange.upperBound
    }
  }
}
