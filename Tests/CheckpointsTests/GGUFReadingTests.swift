import Foundation
import Tensor
import Testing

@testable import Checkpoints

@Suite("Reading GGUF")
struct GGUFReadingTests {
  @Test("gives all metadata types", arguments: ["types.gguf", "version2.gguf"])
  func metadata(_ name: String) throws {
    let file = try GGUFFile(path: golden(name))
    let metadata = file.metadata
    #expect(file.version == (name == "types.gguf" ? 3 : 2))
    #expect(file.alignment == 64)
    #expect(metadata.keys.prefix(3) == ["general.architecture", "general.alignment", "u8"])
    #expect(metadata["u8"] == .uint8(200))
    #expect(metadata["i8"] == .int8(-100))
    #expect(metadata["u16"] == .uint16(60_000))
    #expect(metadata["i16"] == .int16(-30_000))
    #expect(metadata["u32"] == .uint32(4_000_000_000))
    #expect(metadata["i32"] == .int32(-2_000_000_000))
    #expect(metadata["f32"] == .float32(0.1))
    #expect(metadata["yes"] == .bool(true))
    #expect(metadata["no"] == .bool(false))
    #expect(metadata["text"] == .string("“é”\n"))
    #expect(metadata["u64"] == .uint64(1 << 63))
    #expect(metadata["i64"] == .int64(-(1 << 62)))
    #expect(metadata["f64"] == .float64(0.1))
    #expect(try metadata.strings("strings") == ["", "a", "Ġthe", "日本"])
    #expect(try metadata.integers("integers") == [1, -2, 3])
    #expect(try metadata.reals("reals") == [0.5, -1.25])
    #expect(try metadata.value("bools").array?.bools == [true, false, true])
    let nested = try #require(try metadata.value("nested").array?.arrays)
    #expect(nested.map(\.integers) == [[1, 2], [3]])
  }

  @Test("throws for keys that are missing or of another type")
  func typedGetters() throws {
    let metadata = try GGUFFile(path: golden("types.gguf")).metadata
    #expect(try metadata.integer("i32") == -2_000_000_000)
    #expect(try metadata.real("f64") == 0.1)
    #expect(try metadata.real("u8") == 200)
    #expect(try metadata.bool("yes"))
    #expect(try metadata.string("general.architecture") == "llama")
    func code(_ body: () throws -> Void) -> CheckpointError.Code? {
      #expect(throws: CheckpointError.self, performing: body)?.code
    }
    #expect(code { _ = try metadata.integer("text") } == .wrongType)
    #expect(code { _ = try metadata.integer("u64") } == .wrongType)
    #expect(code { _ = try metadata.integer("f32") } == .wrongType)
    #expect(code { _ = try metadata.strings("integers") } == .wrongType)
    #expect(code { _ = try metadata.string("absent") } == .missingKey)
    let error = #expect(throws: CheckpointError.self) { try metadata.string("stringz") }
    #expect(error?.problem == "there is no metadata key 'stringz'; nearest: strings")
  }

  @Test("gives tensors in the order [outputs, inputs]")
  func elements() throws {
    let file = try GGUFFile(path: golden("types.gguf"))
    let types: [DType] = [.float32, .float16, .float64, .int8, .int16, .int32, .int64, .bfloat16]
    for (index, dtype) in types.enumerated() {
      let tensor = try file.tensor(dtype.rawValue)
      #expect(tensor.dtype == dtype && tensor.shape == [2, 3])
      #expect(bytes(of: tensor) == pattern(index, count: 6 * dtype.byteCount))
    }
  }

  @Test("gives blocks dequantized, and as they are", arguments: BlockFormat.allCases)
  func blocks(_ format: BlockFormat) throws {
    let file = try GGUFFile(path: golden("types.gguf"))
    let entry = try #require(file.entry(format.name))
    #expect(entry.encoding == .blocks(format) && entry.shape == [2, 512])
    let packed = try file.bytes(format.name)
    #expect(packed.shape == [2, 512 / format.blockLength * format.blockByteCount])
    let values = try file.tensor(format.name)
    #expect(values.shape == [2, 512] && values.dtype == .float32)
    let expected = Tensor(blocks: packed, format: format, shape: [2, 512])
    #expect(bytes(of: values) == bytes(of: expected))
  }

  @Test("refuses a type that cannot be read only when it is read")
  func unreadable() throws {
    let file = try GGUFFile(path: golden("types.gguf"))
    #expect(file.entry("unreadable")?.encoding == .unsupported("MXFP4"))
    #expect(bytes(of: try file.bytes("unreadable")) == pattern(0, count: 34))
    let error = #expect(throws: CheckpointError.self) { try file.tensor("unreadable") }
    #expect(error?.code == .unsupported)
    #expect(error?.problem.contains("MXFP4") == true)
  }

  @Test("says that big-endian files are not supported")
  func bigEndian() {
    let error = #expect(throws: CheckpointError.self) {
      try GGUFFile(path: golden("big-endian.gguf"))
    }
    #expect(error?.code == .unsupported)
    #expect(error?.problem == "a big-endian GGUF file")
  }

  struct Broken: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    var code: CheckpointError.Code

    init(_ name: String, _ bytes: [UInt8], _ code: CheckpointError.Code = .malformed) {
      (self.testDescription, self.bytes, self.code) = (name, bytes, code)
    }
  }

  /// A header with one of each, to be broken.
  static func file(
    magic: String = "GGUF",
    version: UInt32 = 3,
    tensors: UInt64? = nil,
    keys: UInt64? = nil,
    metadata: [[UInt8]] = [],
    infos: [[UInt8]] = [],
    data: Int = 0,
    alignment: Int = 32
  ) -> [UInt8] {
    var bytes = Array(magic.utf8) + littleEndian(version)
    bytes += littleEndian(tensors ?? UInt64(infos.count))
    bytes += littleEndian(keys ?? UInt64(metadata.count))
    bytes += (metadata + infos).joined()
    while bytes.count % alignment != 0 { bytes.append(0) }
    return bytes + pattern(0, count: data)
  }

  static func text(_ string: String) -> [UInt8] {
    littleEndian(UInt64(string.utf8.count)) + string.utf8
  }

  static func key(_ name: String, _ kind: UInt32, _ value: [UInt8]) -> [UInt8] {
    text(name) + littleEndian(kind) + value
  }

  static func info(
    _ name: String,
    _ extents: [UInt64],
    type: UInt32 = 0,
    offset: UInt64 = 0
  ) -> [UInt8] {
    text(name) + littleEndian(UInt32(extents.count)) + extents.flatMap { littleEndian($0) }
      + littleEndian(type) + littleEndian(offset)
  }

  static let many = UInt64(1) << 60
  static let broken: [Broken] = [
    Broken("empty", [], .truncated),
    Broken("magic only", Array("GGUF".utf8), .truncated),
    Broken("another magic", file(magic: "GGML")),
    Broken("swapped magic", file(magic: "FUGG"), .unsupported),
    Broken("version 1", file(version: 1), .unsupported),
    Broken("version 4", file(version: 4), .unsupported),
    Broken("version 0", file(version: 0), .unsupported),
    Broken("many tensors", file(tensors: many), .truncated),
    Broken("many keys", file(keys: many), .truncated),
    Broken("all tensors", file(tensors: .max), .truncated),
    Broken(
      "long key",
      file(keys: 1, metadata: [littleEndian(many), Array(repeating: 0, count: 32)]),
      .truncated
    ),
    Broken(
      "long text",
      file(metadata: [key("a", 8, littleEndian(UInt64.max))], data: 64),
      .truncated
    ),
    Broken(
      "long array",
      file(metadata: [key("a", 9, littleEndian(UInt32(6)) + littleEndian(many))]),
      .truncated
    ),
    Broken(
      "long array of text",
      file(
        metadata: [
          key(
            "a",
            9,
            littleEndian(UInt32(8)) + littleEndian(UInt64(1)) + littleEndian(UInt64(1000))
          )
        ],
        data: 1
      ),
      .truncated
    ),
    Broken(
      "array of nothing",
      file(metadata: [key("a", 9, littleEndian(UInt32(13)) + littleEndian(many))])
    ),
    Broken(
      "deep array",
      file(
        metadata: [
          key(
            "a",
            9,
            (0..<1000).flatMap { _ in littleEndian(UInt32(9)) + littleEndian(UInt64(1)) }
          )
        ],
        data: 64
      )
    ),
    Broken("no such type", file(metadata: [key("a", 13, littleEndian(UInt64(0)))])),
    Broken("truth value 2", file(metadata: [key("a", 7, [2])])),
    Broken("duplicate key", file(metadata: [key("a", 0, [1]), key("a", 0, [1])])),
    Broken(
      "key not UTF-8",
      file(metadata: [littleEndian(UInt64(1)) + [0xFF] + littleEndian(UInt32(0)) + [1]])
    ),
    Broken("text not UTF-8", file(metadata: [key("a", 8, littleEndian(UInt64(1)) + [0xFF])])),
    Broken("alignment 48", file(metadata: [key("general.alignment", 4, littleEndian(UInt32(48)))])),
    Broken("alignment 0", file(metadata: [key("general.alignment", 4, littleEndian(UInt32(0)))])),
    Broken("alignment as text", file(metadata: [key("general.alignment", 8, text("32"))])),
    Broken(
      "duplicate tensor",
      file(infos: [info("a", [8]), info("a", [8], offset: 32)], data: 64)
    ),
    Broken("five axes", file(infos: [info("a", [1, 1, 1, 1, 1])], data: 32)),
    Broken(
      "many axes",
      file(infos: [text("a") + littleEndian(UInt32.max) + [0, 0, 0, 0, 0, 0, 0, 0]])
    ),
    Broken("negative extent", file(infos: [info("a", [UInt64.max])], data: 32)),
    Broken("extents overflow", file(infos: [info("a", [1 << 40, 1 << 40])], data: 32)),
    Broken("extents overflow beside 0", file(infos: [info("a", [0, 1 << 40, 1 << 40])], data: 32)),
    Broken("bytes overflow", file(infos: [info("a", [1 << 61])], data: 32)),
    Broken("unsized elements", file(infos: [info("a", [1 << 62], type: 99)], data: 32)),
    Broken("part of a block", file(infos: [info("a", [33], type: 2)], data: 64)),
    Broken("misaligned", file(infos: [info("a", [4], offset: 16)], data: 64)),
    Broken("past the end", file(infos: [info("a", [16])], data: 32), .truncated),
    Broken("offset past the end", file(infos: [info("a", [1], offset: 64)], data: 32), .truncated),
    Broken("offset overflows", file(infos: [info("a", [8], offset: UInt64.max - 31)], data: 32)),
    Broken(
      "end overflows",
      file(infos: [info("a", [8], offset: UInt64(Int.max) - 31)], data: 32),
      .truncated
    ),
    Broken("overlap", file(infos: [info("a", [16]), info("b", [8], offset: 32)], data: 64)),
    Broken("same bytes", file(infos: [info("a", [8]), info("b", [8])], data: 64)),
    Broken("no data", file(infos: [info("a", [8])]), .truncated),
  ]

  @Test("refuses", arguments: broken)
  func refused(_ broken: Broken) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(broken.bytes, to: "x.gguf")
    let error = #expect(throws: CheckpointError.self) { try GGUFFile(path: path) }
    #expect(error?.code == broken.code, "\(error?.description ?? "")")
    #expect(error?.byteOffset != nil)
  }

  @Test(
    "accepts unusual files",
    arguments: [
      file(),
      file(infos: [info("a", [])], data: 32),
      file(infos: [info("a", [0, 5]), info("b", [8], offset: 0)], data: 32),
      // A gap between tensors, and tensors out of order.
      file(infos: [info("a", [8], offset: 64), info("b", [8])], data: 96),
      file(infos: [info("new", [8], type: 99), info("b", [8], offset: 32)], data: 64),
      file(
        metadata: [key("general.alignment", 4, littleEndian(UInt32(1)))],
        infos: [info("a", [1], offset: 3)],
        data: 7,
        alignment: 1
      ),
    ]
  )
  func accepted(_ bytes: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let file = try GGUFFile(path: folder.write(bytes, to: "x.gguf"))
    for entry in file.entries {
      if case .unsupported = entry.encoding {
        let error = #expect(throws: CheckpointError.self) { try file.bytes(entry.name) }
        #expect(error?.code == .unsupported)
        continue
      }
      _ = try file.bytes(entry.name)
      _ = try file.tensor(entry.name)
    }
  }

  @Test("reads a large vocabulary only when it is asked for")
  func vocabulary() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.gguf")
    let tokens = (0..<50_000).map { "token number \($0)" }
    let writer = try GGUFWriter(
      path: path,
      metadata: ["tokens": .array(GGUFArray(tokens))],
      tensors: []
    )
    try writer.finish()
    let clock = ContinuousClock()
    let opening = try clock.measure { _ = try GGUFFile(path: path) }
    #expect(opening < .milliseconds(200))
    #expect(try GGUFFile(path: path).metadata.strings("tokens") == tokens)
  }
}
