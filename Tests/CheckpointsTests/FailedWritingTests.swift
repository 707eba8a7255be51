import Foundation
import Tensor
import Testing

@testable import Checkpoints

@Suite("Writing that fails")
struct FailedWritingTests {
  @Test("leaves nothing behind when dropped")
  func dropped() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x")
    do {
      var writer = try SafetensorsWriter(
        path: path,
        tensors: [TensorDeclaration("a", dtype: .uint8, shape: [1])]
      )
      #expect(folder.names.count == 1)
      #expect(folder.names[0].hasSuffix(".partial"))
      try writer.append(tensor([1], .uint8, shape: [1]), to: "a")
    }
    #expect(folder.names.isEmpty)
  }

  @Test("names the reason when the folder does not exist")
  func noFolder() {
    let error = #expect(throws: CheckpointError.self) {
      _ = try SafetensorsWriter(path: "/nowhere/at/all/x.safetensors", tensors: [])
    }
    #expect(error?.code == .unwritable)
    #expect(error?.description.contains("No such file or directory") == true)
  }

  @Test("says so at once when the disk is full", arguments: ["x.safetensors", "x.gguf"])
  func fullDisk(_ name: String) throws {
    // A quadrillion bytes exceed every disk and every file system's largest file.
    let folder = try TemporaryFolder()
    let tensors = [TensorDeclaration("a", dtype: .float32, shape: [1 << 48])]
    let error = #expect(throws: CheckpointError.self) {
      if name.hasSuffix("gguf") {
        _ = try GGUFWriter(path: folder.file(name), metadata: [:], tensors: tensors)
      } else {
        _ = try SafetensorsWriter(path: folder.file(name), tensors: tensors)
      }
    }
    #expect(error?.code == .unwritable)
    #expect(error?.underlying != nil)
    #expect(folder.names.isEmpty)
  }

  @Test("says so when the disk fills up later, and leaves nothing behind")
  func filledLater() async throws {
    let folder = try TemporaryFolder()
    await #expect(processExitsWith: .success) { [path = folder.path as String] in
      // Beyond the limit the system sends a signal, or fails like a full disk if it is ignored.
      signal(SIGXFSZ, SIG_IGN)
      var writer = try SafetensorsWriter(
        path: "\(path)/x",
        tensors: [TensorDeclaration("a", dtype: .uint8, shape: [1 << 20])]
      )
      try writer.append(Tensor(zeros: [1 << 10], dtype: .uint8), to: "a")
      var limit = rlimit(rlim_cur: 1 << 16, rlim_max: 1 << 16)
      setrlimit(numericCast(RLIMIT_FSIZE.rawValue), &limit)
      do throws(CheckpointError) {
        try writer.append(Tensor(zeros: [1 << 19], dtype: .uint8), to: "a")
        Issue.record("written beyond the limit")
      } catch {
        #expect(error.code == .unwritable)
        #expect(error.byteOffset != nil)
      }
    }
    #expect(folder.names.isEmpty)
  }

  @Test("leaves nothing under the final name when the process is killed")
  func killed() async throws {
    let folder = try TemporaryFolder()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
      var writer = try SafetensorsWriter(
        path: "\(path)/x",
        tensors: [TensorDeclaration("a", dtype: .uint8, shape: [2])]
      )
      try writer.append(tensor([1, 2], .uint8, shape: [2]), to: "a")
      kill(getpid(), SIGKILL)
      try writer.finish()
    }
    #expect(folder.names.count == 1)
    #expect(folder.names.allSatisfy { $0.hasPrefix(".x.") && $0.hasSuffix(".partial") })
  }

  @Test("keeps the earlier file until the end")
  func replaced() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([1, 2, 3], to: "x")
    var writer = try SafetensorsWriter(
      path: path,
      tensors: [TensorDeclaration("a", dtype: .uint8, shape: [1])]
    )
    try writer.append(tensor([1], .uint8, shape: [1]), to: "a")
    #expect(try readBytes(path) == [1, 2, 3])
    let earlier = try MappedFile(path: path)
    try writer.finish()
    #expect(try SafetensorsFile(path: path).entries.count == 1)
    // A mapping of the replaced file stays valid.
    #expect(earlier.withBytes { Array($0) } == [1, 2, 3])
    #expect(folder.names == ["x"])
  }

  @Test("does not harm a file that is being read from")
  func overItself() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(try readBytes(golden("types.safetensors")), to: "x")
    let source = try SafetensorsFile(path: path)
    let tensors = source.entries.map { TensorDeclaration($0.name, $0.encoding, shape: $0.shape) }
    var writer = try SafetensorsWriter(path: path, tensors: tensors)
    for entry in source.entries { try writer.append(try source.tensor(entry.name), to: entry.name) }
    try writer.finish()
    let copy = try SafetensorsFile(path: path)
    for entry in source.entries {
      #expect(try bytes(of: copy.bytes(entry.name)) == bytes(of: source.bytes(entry.name)))
    }
  }
}
