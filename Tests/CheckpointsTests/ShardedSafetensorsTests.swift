import Foundation
import Tensor
import Testing

@testable import Checkpoints

@Suite("Sharded safetensors")
struct ShardedSafetensorsTests {
  static let index = "model.safetensors.index.json"

  @Test("give the tensors that the index lists")
  func golden() throws {
    let source = try ShardedSafetensors(
      indexPath: CheckpointsTests.golden("sharded/\(Self.index)")
    )
    #expect(source.entries.map(\.name) == ["a", "b"])
    #expect(try source.tensor("a").elements(as: Float.self) == [0, 1, 2, 3, 4, 5])
    #expect(try source.tensor("b").elements(as: Int32.self) == [0, 1, 2, 3])
    #expect(source.entry("ignored") == nil)
    #expect(source.metadata == ["format": "pt"])
  }

  struct Broken: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var text: String
    var code: CheckpointError.Code
  }

  static let broken = [
    Broken(testDescription: "empty", text: "", code: .malformed),
    Broken(testDescription: "no map", text: #"{"metadata":{}}"#, code: .malformed),
    Broken(testDescription: "map not an object", text: #"{"weight_map":[]}"#, code: .malformed),
    Broken(testDescription: "no such file", text: #"{"weight_map":{"a":"x"}}"#, code: .notFound),
    Broken(
      testDescription: "outside",
      text: #"{"weight_map":{"a":"../x.safetensors"}}"#,
      code: .malformed
    ),
    Broken(
      testDescription: "absolute",
      text: #"{"weight_map":{"a":"/etc/passwd"}}"#,
      code: .malformed
    ),
    Broken(
      testDescription: "NUL in a name",
      text: #"{"weight_map":{"a":"x\u0000"}}"#,
      code: .malformed
    ),
    Broken(
      testDescription: "not in the file",
      text: #"{"weight_map":{"b":"one.safetensors"}}"#,
      code: .missingTensor
    ),
    Broken(
      testDescription: "twice",
      text: #"{"weight_map":{"a":"one.safetensors","a":"one.safetensors"}}"#,
      code: .malformed
    ),
  ]

  @Test("refuse an index", arguments: broken)
  func refused(_ broken: Broken) throws {
    let folder = try TemporaryFolder()
    try folder.write(
      safetensors(#"{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}"#, dataByteCount: 1),
      to: "one.safetensors"
    )
    let path = try folder.write(Array(broken.text.utf8), to: Self.index)
    let error = #expect(throws: CheckpointError.self) { try ShardedSafetensors(indexPath: path) }
    #expect(error?.code == broken.code, "\(error?.description ?? "")")
  }

  @Test("are split as announced and read back")
  func written() throws {
    let folder = try TemporaryFolder()
    let tensors = (0..<5).map { TensorDeclaration("t\($0)", dtype: .float32, shape: [2, 4]) }
    var writer = try ShardedSafetensorsWriter(
      folder: folder.path,
      tensors: tensors,
      metadata: ["made": "here"],
      maximumShardByteCount: 70
    )
    let names = writer.fileNames
    #expect(names.count == 4)
    for index in tensors.indices.reversed() {
      let values = (0..<8).map { Float(10 * index + $0) }
      try writer.append(Tensor(values, shape: [2, 4]), to: "t\(index)")
    }
    #expect(folder.names.allSatisfy { $0.hasSuffix(".partial") })
    try writer.finish()
    #expect(folder.names == names.sorted())
    #expect(names[0] == "model-00001-of-00003.safetensors")
    let source = try ShardedSafetensors(indexPath: folder.file(Self.index))
    #expect(source.metadata == ["format": "pt", "made": "here"])
    #expect(source.entries.map(\.name) == tensors.map(\.name))
    for index in tensors.indices {
      let expected = (0..<8).map { Float(10 * index + $0) }
      #expect(try source.tensor("t\(index)").elements(as: Float.self) == expected)
    }
    let json = try JSONSerialization.jsonObject(with: Data(readBytes(folder.file(Self.index))))
    let metadata = try #require((json as? [String: Any])?["metadata"] as? [String: Any])
    #expect(metadata["total_size"] as? Int == 5 * 32)
  }

  @Test("refuse sizes that exceed an Int")
  func overflow() throws {
    let folder = try TemporaryFolder()
    let tensors = (0..<2).map { TensorDeclaration("\($0)", dtype: .int8, shape: [Int.max]) }
    let error = #expect(throws: CheckpointError.self) {
      _ = try ShardedSafetensorsWriter(folder: folder.path, tensors: tensors)
    }
    #expect(error?.code == .invalidRequest)
  }

  @Test("are one file when they fit")
  func single() throws {
    let folder = try TemporaryFolder()
    let tensors = [TensorDeclaration("a", dtype: .float32, shape: [2])]
    var writer = try ShardedSafetensorsWriter(folder: folder.path, tensors: tensors)
    try writer.append(Tensor([1, 2] as [Float]), to: "a")
    try writer.finish()
    #expect(folder.names == ["model.safetensors"])
  }

  @Test("are not written beside a file that readers would take instead")
  func rival() throws {
    let folder = try TemporaryFolder()
    try folder.write(safetensors("{}"), to: "model.safetensors")
    let tensors = (0..<2).map { TensorDeclaration("\($0)", dtype: .float32, shape: [8]) }
    let error = #expect(throws: CheckpointError.self) {
      _ = try ShardedSafetensorsWriter(
        folder: folder.path,
        tensors: tensors,
        maximumShardByteCount: 32
      )
    }
    #expect(error?.code == .invalidRequest)
    #expect(folder.names == ["model.safetensors"])
  }
}
