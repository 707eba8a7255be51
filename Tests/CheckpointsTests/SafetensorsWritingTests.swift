import Foundation
import Tensor
import Testing

@testable import Checkpoints

@Suite("Writing safetensors")
struct SafetensorsWritingTests {
  @Test("keeps every dtype's bits")
  func everyType() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.safetensors")
    let tensors = DType.allCases.map { TensorDeclaration($0.rawValue, dtype: $0, shape: [5, 3]) }
    var writer = try SafetensorsWriter(path: path, tensors: tensors)
    for (index, dtype) in DType.allCases.enumerated() {
      let data = pattern(index, count: 15 * dtype.byteCount)
      try writer.append(tensor(data, dtype, shape: [5, 3]), to: dtype.rawValue)
    }
    try writer.finish()
    let file = try SafetensorsFile(path: path)
    for (index, dtype) in DType.allCases.enumerated() {
      let found = try file.tensor(dtype.rawValue)
      #expect(found.dtype == dtype && found.shape == [5, 3])
      #expect(bytes(of: found) == pattern(index, count: 15 * dtype.byteCount))
      #expect(
        file.entry(dtype.rawValue)?.byteRange.lowerBound.isMultiple(of: dtype.byteCount) == true
      )
    }
    #expect(file.metadata == ["format": "pt"])
  }

  @Test("takes rows in pieces, and tensors in any order")
  func pieces() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.safetensors")
    let a = Tensor((0..<35).map(Float.init), shape: [7, 5])
    let names = ["a", "b", "scalar", "empty"]
    let shapes: [Shape] = [[7, 5], [3], [], [0, 4]]
    var writer = try SafetensorsWriter(
      path: path,
      tensors: zip(names, shapes).map { TensorDeclaration($0, dtype: .float32, shape: $1) }
    )
    try writer.append(Tensor([9] as [Float], shape: []), to: "scalar")
    try writer.append(a.rows(0..<2), to: "a")
    try writer.append(Tensor([1, 2, 3] as [Float]), to: "b")
    try writer.append(a.rows(2..<2), to: "a")
    try writer.append(a.rows(2..<7), to: "a")
    try writer.finish()
    let file = try SafetensorsFile(path: path)
    #expect(bytes(of: try file.tensor("a")) == bytes(of: a))
    #expect(try file.tensor("b").elements(as: Float.self) == [1, 2, 3])
    #expect(try file.tensor("scalar").elements(as: Float.self) == [9])
    #expect(try file.tensor("empty").shape == [0, 4])
  }

  @Test("writes names and metadata of any characters")
  func characters() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.safetensors")
    let name = "“\"\\/\u{0}\u{1F}\n\r\t é😀\u{7F}\u{2028}"
    var writer = try SafetensorsWriter(
      path: path,
      tensors: [TensorDeclaration(name, dtype: .uint8, shape: [1])],
      metadata: [name: name, "format": "x"]
    )
    try writer.append(tensor([7], .uint8, shape: [1]), to: name)
    try writer.finish()
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == [name: name, "format": "pt"])
    #expect(file.entries.map(\.name) == [name])
    let length = Int(try readBytes(path)[0])
    let header = Data(try readBytes(path)[8..<8 + length])
    #expect(length % 8 == 0)
    #expect((try JSONSerialization.jsonObject(with: header) as? [String: Any])?[name] != nil)
  }

  @Test("copies tensors of another file without changing a byte")
  func copied() throws {
    let folder = try TemporaryFolder()
    let source = try SafetensorsFile(path: golden("types.safetensors"))
    let path = folder.file("x.safetensors")
    let tensors = source.entries.map { TensorDeclaration($0.name, $0.encoding, shape: $0.shape) }
    var writer = try SafetensorsWriter(path: path, tensors: tensors, metadata: source.metadata)
    for entry in source.entries { try writer.append(try source.tensor(entry.name), to: entry.name) }
    try writer.finish()
    let copy = try SafetensorsFile(path: path)
    for entry in source.entries {
      #expect(try bytes(of: copy.bytes(entry.name)) == bytes(of: source.bytes(entry.name)))
    }
  }

  @Test("refuses what was not announced, and leaves nothing behind")
  func misuse() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.safetensors")
    let declaration = TensorDeclaration("a", dtype: .float32, shape: [2, 3])
    let row = Tensor([1, 2, 3] as [Float], shape: [1, 3])
    func expectRefused(_ tensor: Tensor, _ name: String = "a", after count: Int = 0) throws {
      var writer = try SafetensorsWriter(path: path, tensors: [declaration])
      for _ in 0..<count { try writer.append(row, to: "a") }
      do {
        try writer.append(tensor, to: name)
        Issue.record("accepted \(tensor.shape) of \(tensor.dtype)")
      } catch {
        #expect(error.code == .invalidRequest)
      }
    }
    try expectRefused(row, "b")
    try expectRefused(Tensor([1, 2, 3] as [Double], shape: [1, 3]))
    try expectRefused(Tensor([1, 2, 3] as [Float]))
    try expectRefused(Tensor([1, 2] as [Float], shape: [1, 2]))
    try expectRefused(row, after: 2)
    #expect(folder.names.isEmpty)
  }

  @Test("refuses to finish before every tensor is complete")
  func incomplete() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1, 2, 3], to: "x.safetensors")
    let tensors = [TensorDeclaration("a", dtype: .float32, shape: [2, 3])]
    var writer = try SafetensorsWriter(path: path, tensors: tensors)
    try writer.append(Tensor([1, 2, 3] as [Float], shape: [1, 3]), to: "a")
    do {
      try writer.finish()
      Issue.record("finished")
    } catch {
      #expect(error.code == .invalidRequest)
      #expect(error.problem == "tensor 'a' has 12 of 24 bytes")
    }
    #expect(folder.names == ["x.safetensors"])
    #expect(try readBytes(path) == [1, 2, 3])
  }

  @Test(
    "refuses declarations that the format cannot hold",
    arguments: [
      [
        TensorDeclaration("a", dtype: .int8, shape: [1]),
        TensorDeclaration("a", dtype: .int8, shape: [2]),
      ],
      [TensorDeclaration("__metadata__", dtype: .int8, shape: [1])],
      [TensorDeclaration("a", .blocks(.q4_0), shape: [1, 32])],
      [TensorDeclaration("a", .unsupported("F4"), shape: [2])],
      [TensorDeclaration("a", dtype: .int64, shape: [1 << 31, 1 << 31])],
      [
        TensorDeclaration("a", dtype: .int8, shape: [Int.max]),
        TensorDeclaration("b", dtype: .int8, shape: [2]),
      ],
    ]
  )
  func declarations(_ tensors: [TensorDeclaration]) throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: CheckpointError.self) {
      _ = try SafetensorsWriter(path: folder.file("x.safetensors"), tensors: tensors)
    }
    #expect(error?.code == .invalidRequest)
    #expect(folder.names.isEmpty)
  }

  @Test("gives the same bytes for the same calls")
  func deterministic() throws {
    let folder = try TemporaryFolder()
    var files: [[UInt8]] = []
    for name in ["x", "y"] {
      let tensors = (0..<20).map { TensorDeclaration("t\($0)", dtype: .int8, shape: [1]) }
      let metadata = Dictionary(uniqueKeysWithValues: (0..<20).map { ("k\($0)", "v") })
      var writer = try SafetensorsWriter(
        path: folder.file(name),
        tensors: tensors,
        metadata: metadata
      )
      for index in 0..<20 {
        try writer.append(tensor([UInt8(index)], .int8, shape: [1]), to: "t\(index)")
      }
      try writer.finish()
      files.append(try readBytes(folder.file(name)))
    }
    #expect(files[0] == files[1])
  }
}
