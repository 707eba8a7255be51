import Foundation
import Tensor
import Testing

@testable import Checkpoints

@Suite("Writing GGUF")
struct GGUFWritingTests {
  @Test("copies a file of every type without changing anything")
  func copied() throws {
    let folder = try TemporaryFolder()
    let source = try GGUFFile(path: golden("types.gguf"))
    let path = folder.file("x.gguf")
    let tensors = source.entries.map { TensorDeclaration($0.name, $0.encoding, shape: $0.shape) }
      .filter { $0.name != "unreadable" }
    var writer = try GGUFWriter(path: path, metadata: source.metadata, tensors: tensors)
    for declaration in tensors {
      if case .elements = declaration.encoding {
        try writer.append(try source.tensor(declaration.name), to: declaration.name)
      } else {
        let packed = try source.bytes(declaration.name)
        try writer.append(packed.rows(0..<1), to: declaration.name)
        try writer.append(packed.rows(1..<2), to: declaration.name)
      }
    }
    try writer.finish()
    let copy = try GGUFFile(path: path)
    #expect(copy.version == 3 && copy.alignment == 64)
    #expect(copy.metadata == source.metadata)
    #expect(copy.entries.map(\.name) == tensors.map(\.name))
    for declaration in tensors {
      let entry = try #require(copy.entry(declaration.name))
      #expect(entry.encoding == declaration.encoding && entry.shape == declaration.shape)
      #expect(
        try bytes(of: copy.bytes(entry.name)) == bytes(of: source.bytes(entry.name))
      )
    }
    // All but the tensor left out is what the reference writer wrote.
    let (ours, theirs) = (try readBytes(path), try readBytes(golden("types.gguf")))
    let key = theirs.firstRange(of: Array("general.architecture".utf8))
    let end = try #require(theirs.firstRange(of: Array("float32".utf8))).lowerBound - 8
    #expect(ours[24..<end] == theirs[24..<end])
    #expect(key != nil)
  }

  @Test("writes arrays of every type")
  func arrays() throws {
    let folder = try TemporaryFolder()
    let inner = GGUFArray(["a", ""])
    let kinds: [[GGUFValue]] = [
      [.uint8(1)], [.int8(-1)], [.uint16(2)], [.int16(-2)], [.uint32(3)], [.int32(-3)],
      [.float32(0.5)], [.bool(true)], [.string("é")], [.array(inner), .array(GGUFArray([1.5]))],
      [.uint64(4)], [.int64(-4)], [.float64(0.25)],
    ]
    var metadata = GGUFMetadata()
    for values in kinds {
      let kind = values[0].kind
      metadata["\(kind)"] = .array(try #require(GGUFArray(values, kind: kind)))
    }
    metadata["empty"] = .array(GGUFArray([String]()))
    let path = folder.file("x.gguf")
    let writer = try GGUFWriter(path: path, metadata: metadata, tensors: [])
    try writer.finish()
    let read = try GGUFFile(path: path).metadata
    #expect(read == metadata)
    #expect(try read.strings("empty") == [])
    #expect(read["array"]?.array?.arrays?.first?.strings == ["a", ""])
    #expect(read["array"]?.array?.arrays?.last?.reals == [1.5])
    #expect(metadata["array"]?.array?.arrays?.first?.strings == ["a", ""])
    #expect(GGUFArray([.uint8(1), .int8(1)], kind: .uint8) == nil)
  }

  @Test(
    "rounds and packs what is read back dequantized",
    arguments: [
      BlockFormat.q4_0, .q4_1, .q5_0, .q5_1, .q8_0,
    ]
  )
  func rounded(_ format: BlockFormat) throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.gguf")
    let rows = try SafetensorsFile(path: golden("blocks.safetensors")).tensor("rows")
    let packed = rows.roundedToBlocks(format)
    var writer = try GGUFWriter(
      path: path,
      metadata: [:],
      tensors: [TensorDeclaration("a", .blocks(format), shape: rows.shape)]
    )
    try writer.append(packed, to: "a")
    try writer.finish()
    let file = try GGUFFile(path: path)
    #expect(bytes(of: try file.bytes("a")) == bytes(of: packed))
    #expect(try file.tensor("a").shape == rows.shape)
  }

  @Test("keeps metadata in the order they were set")
  func order() {
    var metadata: GGUFMetadata = ["b": .bool(true), "a": .uint8(1)]
    metadata["c"] = .uint8(2)
    metadata["b"] = .bool(false)
    #expect(metadata.keys == ["b", "a", "c"])
    metadata["a"] = nil
    #expect(metadata.keys == ["b", "c"])
    #expect(metadata["a"] == nil && metadata["b"] == .bool(false))
  }

  @Test(
    "refuses declarations that the format cannot hold",
    arguments: [
      [
        TensorDeclaration("a", dtype: .float32, shape: [1]),
        TensorDeclaration("a", dtype: .int8, shape: [2]),
      ],
      [TensorDeclaration("a", dtype: .bool, shape: [1])],
      [TensorDeclaration("a", dtype: .uint8, shape: [1])],
      [TensorDeclaration("a", dtype: .float32, shape: [])],
      [TensorDeclaration("a", dtype: .float32, shape: [1, 1, 1, 1, 1])],
      [TensorDeclaration("a", .blocks(.q4_0), shape: [1, 33])],
      [TensorDeclaration("a", .unsupported("new"), shape: [1])],
      [TensorDeclaration("a", dtype: .float64, shape: [1 << 31, 1 << 31])],
      [
        TensorDeclaration("a", dtype: .int8, shape: [Int.max]),
        TensorDeclaration("b", dtype: .int8, shape: [Int.max]),
      ],
      [TensorDeclaration(String(repeating: "a", count: 64), dtype: .float32, shape: [1])],
    ]
  )
  func declarations(_ tensors: [TensorDeclaration]) throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: CheckpointError.self) {
      _ = try GGUFWriter(path: folder.file("x.gguf"), metadata: [:], tensors: tensors)
    }
    #expect(error?.code == .invalidRequest)
    #expect(folder.names.isEmpty)
  }

  @Test(
    "refuses an alignment that is no power of two",
    arguments: [
      GGUFValue.uint32(48), .uint32(0), .uint32(4), .uint32(1 << 31), .string("32"), .int32(32),
    ]
  )
  func alignment(_ value: GGUFValue) throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: CheckpointError.self) {
      _ = try GGUFWriter(
        path: folder.file("x.gguf"),
        metadata: ["general.alignment": value],
        tensors: []
      )
    }
    #expect(error?.code == .invalidRequest)
  }
}
