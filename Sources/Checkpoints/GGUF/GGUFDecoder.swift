/// Reads the fields of a GGUF header from bytes, one after another.
///
/// Nothing that a file merely claims is believed: a count is compared with the bytes left before
/// anything is allocated or repeated for it.
struct GGUFDecoder {
  let bytes: UnsafeRawBufferPointer
  let path: String
  private(set) var position = 0

  /// How deeply arrays may be nested.
  static let maximumDepth = 8

  init(_ bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  var left: Int { bytes.count - position }

  func error(
    _ code: CheckpointError.Code,
    _ problem: String,
    at offset: Int? = nil,
    name: String? = nil
  ) -> CheckpointError {
    CheckpointError(code, problem, file: path, byteOffset: offset ?? position, name: name)
  }

  /// Reads an integer.
  mutating func read<Value: FixedWidthInteger>(
    _ type: Value.Type
  ) throws(CheckpointError) -> Value {
    let size = MemoryLayout<Value>.size
    guard left >= size else { throw error(.truncated, "the header ends within a field") }
    defer { position += size }
    return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
  }

  /// Reads a count of items that take at least `byteCount` bytes each.
  mutating func readCount(
    of items: String,
    ofAtLeast byteCount: Int
  ) throws(CheckpointError) -> Int {
    let start = position
    let announced = try read(UInt64.self)
    guard announced <= UInt64(left / byteCount) else {
      throw error(
        .truncated,
        "\(announced) \(items) announced, with \(left) bytes left",
        at: start
      )
    }
    return Int(announced)
  }

  /// Reads a string.
  mutating func readString(_ role: String) throws(CheckpointError) -> String {
    let start = position
    let length = try readCount(of: "bytes of a \(role)", ofAtLeast: 1)
    defer { position += length }
    let text = bytes[position..<position + length]
    guard let string = String(validating: text, as: UTF8.self) else {
      throw error(.malformed, "a \(role) is not UTF-8", at: start)
    }
    return string
  }

  /// Reads the number of a value's type.
  mutating func readKind() throws(CheckpointError) -> GGUFValue.Kind {
    let start = position
    let number = try read(UInt32.self)
    guard let kind = GGUFValue.Kind(rawValue: number) else {
      throw error(.malformed, "there is no metadata type \(number)", at: start)
    }
    return kind
  }

  /// Reads the type and count that start an array.
  mutating func readArrayHeader() throws(CheckpointError) -> (kind: GGUFValue.Kind, count: Int) {
    let kind = try readKind()
    let count = try readCount(of: "array elements", ofAtLeast: kind.leastByteCount)
    return (kind, count)
  }

  /// Moves past `count` values, checking that they lie within the bytes.
  mutating func skip(
    _ kind: GGUFValue.Kind,
    count: Int,
    depth: Int = 0
  ) throws(CheckpointError) {
    if let size = kind.byteCount {
      // The count was compared with the bytes left, so the product cannot overflow.
      guard count * size <= left else { throw error(.truncated, "the header ends in an array") }
      position += count * size
      return
    }
    guard depth < Self.maximumDepth else {
      throw error(.malformed, "arrays nested more than \(Self.maximumDepth) deep")
    }
    for _ in 0..<count {
      if kind == .string {
        position += try readCount(of: "bytes of a string", ofAtLeast: 1)
      } else {
        let inner = try readArrayHeader()
        try skip(inner.kind, count: inner.count, depth: depth + 1)
      }
    }
  }

  /// Reads a value; arrays become windows on `file`, whose bytes these are.
  mutating func readValue(in file: MappedFile) throws(CheckpointError) -> GGUFValue {
    switch try readKind() {
    case .uint8: return .uint8(try read(UInt8.self))
    case .int8: return .int8(try read(Int8.self))
    case .uint16: return .uint16(try read(UInt16.self))
    case .int16: return .int16(try read(Int16.self))
    case .uint32: return .uint32(try read(UInt32.self))
    case .int32: return .int32(try read(Int32.self))
    case .float32: return .float32(Float(bitPattern: try read(UInt32.self)))
    case .bool: return .bool(try readBool())
    case .string: return .string(try readString("metadata string"))
    case .array:
      let header = try readArrayHeader()
      let start = position
      try skip(header.kind, count: header.count)
      return .array(
        GGUFArray(kind: header.kind, count: header.count, in: file, start..<position)
      )
    case .uint64: return .uint64(try read(UInt64.self))
    case .int64: return .int64(try read(Int64.self))
    case .float64: return .float64(Double(bitPattern: try read(UInt64.self)))
    }
  }

  private mutating func readBool() throws(CheckpointError) -> Bool {
    let start = position
    let byte = try read(UInt8.self)
    guard byte <= 1 else {
      throw error(.malformed, "a truth value is \(byte), neither 0 nor 1", at: start)
    }
    return byte == 1
  }
}
