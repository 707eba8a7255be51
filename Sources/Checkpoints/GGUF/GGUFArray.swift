/// An array in a GGUF file's metadata, kept as the bytes of the file and decoded when asked.
///
/// A vocabulary has tens of thousands of strings that most users of a file never look at; until
/// then an array of a mapped file costs nothing but the check that it is well-formed.
///
/// ```swift
/// let tokens = try file.metadata.strings("tokenizer.ggml.tokens")
/// let value = GGUFValue.array(GGUFArray(["a", "b"]))
/// ```
public struct GGUFArray: Sendable {
  /// The type of the elements.
  public let kind: GGUFValue.Kind
  /// The number of elements.
  public let count: Int
  private let contents: Contents

  private enum Contents: Sendable {
    case mapped(MappedFile, Range<Int>)
    case owned([UInt8])
  }

  /// Makes an array of checked bytes of a file.
  init(kind: GGUFValue.Kind, count: Int, in file: MappedFile, _ range: Range<Int>) {
    (self.kind, self.count, self.contents) = (kind, count, .mapped(file, range))
  }

  private init(kind: GGUFValue.Kind, count: Int, _ encoded: [UInt8]) {
    (self.kind, self.count, self.contents) = (kind, count, .owned(encoded))
  }

  /// Creates an array of strings.
  public init(_ strings: [String]) {
    var encoder = FieldEncoder()
    for string in strings { encoder.append(string) }
    self.init(kind: .string, count: strings.count, encoder.bytes)
  }

  /// Creates an array of 32-bit integers, such as token types.
  public init(_ values: [Int32]) {
    var encoder = FieldEncoder()
    for value in values { encoder.append(value) }
    self.init(kind: .int32, count: values.count, encoder.bytes)
  }

  /// Creates an array of 32-bit floating-point numbers, such as token scores.
  public init(_ values: [Float]) {
    var encoder = FieldEncoder()
    for value in values { encoder.append(value.bitPattern) }
    self.init(kind: .float32, count: values.count, encoder.bytes)
  }

  /// Creates an array of values of one type; nil if one is of another type.
  public init?(_ values: [GGUFValue], kind: GGUFValue.Kind) {
    guard values.allSatisfy({ $0.kind == kind }) else { return nil }
    var encoder = FieldEncoder()
    for value in values { encoder.append(value) }
    self.init(kind: kind, count: values.count, encoder.bytes)
  }

  /// Calls `body` with the elements as they are in a file.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    switch contents {
    case .mapped(let file, let range):
      file.withBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    case .owned(let bytes):
      bytes.withUnsafeBytes { body($0) }
    }
  }

  /// The elements as text; nil if they are of another type or one is not UTF-8.
  ///
  /// - Complexity: O(bytes of all elements).
  public var strings: [String]? {
    guard kind == .string else { return nil }
    return withBytes { bytes in
      var cursor = 0
      var result: [String] = []
      result.reserveCapacity(count)
      for _ in 0..<count {
        // Lengths were checked against the bytes when the array was made.
        let length = Int(bytes.loadUnaligned(fromByteOffset: cursor, as: UInt64.self))
        let range = cursor + 8..<cursor + 8 + length
        guard let string = String(validating: bytes[range], as: UTF8.self) else { return nil }
        result.append(string)
        cursor = range.upperBound
      }
      return result
    }
  }

  /// The elements as integers; nil if they are of another type or one exceeds an `Int`.
  public var integers: [Int]? {
    switch kind {
    case .uint8: decoded(UInt8.self)
    case .int8: decoded(Int8.self)
    case .uint16: decoded(UInt16.self)
    case .int16: decoded(Int16.self)
    case .uint32: decoded(UInt32.self)
    case .int32: decoded(Int32.self)
    case .uint64: decoded(UInt64.self)
    case .int64: decoded(Int64.self)
    default: nil
    }
  }

  /// The elements as numbers; nil if they are of another type.
  public var reals: [Double]? {
    switch kind {
    case .float32: elements(UInt32.self).map { Double(Float(bitPattern: $0)) }
    case .float64: elements(UInt64.self).map { Double(bitPattern: $0) }
    default: integers.map { $0.map(Double.init) }
    }
  }

  /// The elements as truth values; nil if they are of another type.
  public var bools: [Bool]? { kind == .bool ? elements(UInt8.self).map { $0 != 0 } : nil }

  /// The elements as arrays; nil if they are of another type.
  public var arrays: [GGUFArray]? {
    guard kind == .array else { return nil }
    let (file, start): (MappedFile?, Int) =
      switch contents {
      case .mapped(let file, let range): (file, range.lowerBound)
      case .owned: (nil, 0)
      }
    return withBytes { bytes in
      var decoder = GGUFDecoder(bytes, path: file?.path ?? "")
      var result: [GGUFArray] = []
      for _ in 0..<count {
        guard let found = try? decoder.readArrayHeader() else { return nil }
        let body = decoder.position
        guard (try? decoder.skip(found.kind, count: found.count)) != nil else { return nil }
        let range = body..<decoder.position
        let contents: Contents =
          file.map { .mapped($0, start + range.lowerBound..<start + range.upperBound) }
          ?? .owned(Array(bytes[range]))
        result.append(GGUFArray(kind: found.kind, count: found.count, contents))
      }
      return result
    }
  }

  private init(kind: GGUFValue.Kind, count: Int, _ contents: Contents) {
    (self.kind, self.count, self.contents) = (kind, count, contents)
  }

  private func elements<Element: FixedWidthInteger>(_ type: Element.Type) -> [Element] {
    withBytes { bytes in
      (0..<count).map {
        Element(
          littleEndian: bytes.loadUnaligned(
            fromByteOffset: $0 * MemoryLayout<Element>.size,
            as: Element.self
          )
        )
      }
    }
  }

  private func decoded<Element: FixedWidthInteger>(_ type: Element.Type) -> [Int]? {
    var result: [Int] = []
    result.reserveCapacity(count)
    for element in elements(type) {
      guard let integer = Int(exactly: element) else { return nil }
      result.append(integer)
    }
    return result
  }
}

extension GGUFArray: Hashable {
  /// Whether both arrays are the same bytes of the same type.
  public static func == (a: GGUFArray, b: GGUFArray) -> Bool {
    guard a.kind == b.kind && a.count == b.count else { return false }
    return a.withBytes { first in b.withBytes { second in first.elementsEqual(second) } }
  }

  /// Adds type and count; equal arrays have equal ones, and reading the bytes would take long.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(kind)
    hasher.combine(count)
  }
}
