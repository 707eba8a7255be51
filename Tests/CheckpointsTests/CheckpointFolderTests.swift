import Foundation
import Tensor
import Testing

@testable import Checkpoints

@Suite("Finding checkpoints")
struct CheckpointFolderTests {
  static let empty = safetensors("{}")

  @Test("takes a file as it is named")
  func files() throws {
    let folder = try TemporaryFolder()
    let one = try folder.write(Self.empty, to: "a.safetensors")
    let two = try folder.write(Self.empty, to: "b.safetensors")
    let three = try folder.write(GGUFReadingTests.file(), to: "c.GGUF")
    #expect(try CheckpointFolder(one).weights == .safetensors(one))
    #expect(try CheckpointFolder(two).path == folder.path)
    #expect(try CheckpointFolder(two).location == two)
    #expect(try CheckpointFolder(three).weights == .gguf(three))
    #expect(try CheckpointFolder(three).open() is GGUFFile)
    let index = golden("sharded/model.safetensors.index.json")
    #expect(try CheckpointFolder(index).weights == .shardedSafetensors(index))
  }

  @Test(
    "finds a folder's weights",
    arguments: [
      (["model.safetensors", "other.safetensors"], "model.safetensors"),
      (["model.safetensors", "model.safetensors.index.json"], "model.safetensors"),
      (
        ["model.safetensors.index.json", "model-1.safetensors", "model-2.safetensors"],
        "model.safetensors.index.json"
      ),
      (
        ["pytorch_model.bin", "weights.safetensors", "adapter_model.safetensors"],
        "weights.safetensors"
      ),
      (["config.json", "model.gguf"], "model.gguf"),
    ]
  )
  func folders(_ names: [String], _ expected: String) throws {
    let folder = try TemporaryFolder()
    for name in names { try folder.write([], to: name) }
    let found = try CheckpointFolder(folder.path)
    let path: String =
      switch found.weights {
      case .safetensors(let path), .shardedSafetensors(let path), .gguf(let path): path
      }
    #expect(path == folder.file(expected))
    #expect(found.path == folder.path)
    #expect(found.location == folder.path)
    #expect(
      found.file("config.json")
        == (names.contains("config.json") ? folder.file("config.json") : nil)
    )
  }

  @Test("opens shards")
  func sharded() throws {
    let source = try CheckpointFolder(golden("sharded")).open()
    #expect(source.entries.map(\.name) == ["a", "b"])
  }

  @Test(
    "refuses a folder",
    arguments: [
      ([], CheckpointError.Code.notFound, "nothing"),
      (["config.json", "README.md"], .notFound, "README.md, config.json"),
      (["a.safetensors", "b.safetensors"], .ambiguous, "a.safetensors, b.safetensors"),
      (["a.gguf", "b.gguf"], .ambiguous, "a.gguf, b.gguf"),
      (["pytorch_model.bin", "config.json"], .unsupported, "safe_serialization"),
      (["pytorch_model-00001-of-00002.bin"], .unsupported, "safe_serialization"),
    ]
  )
  func refused(_ names: [String], _ code: CheckpointError.Code, _ hint: String) throws {
    let folder = try TemporaryFolder()
    for name in names { try folder.write([], to: name) }
    let error = #expect(throws: CheckpointError.self) { try CheckpointFolder(folder.path) }
    #expect(error?.code == code)
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test("refuses files of other kinds", arguments: ["x.bin", "x.pt", "x.txt", "config.json"])
  func otherFiles(_ name: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([], to: name)
    let error = #expect(throws: CheckpointError.self) { try CheckpointFolder(path) }
    #expect(error?.code == .unsupported)
  }

  @Test("names what is nearest to a path that does not exist")
  func nearest() throws {
    let folder = try TemporaryFolder()
    try folder.write(Self.empty, to: "smollm2.safetensors")
    let error = #expect(throws: CheckpointError.self) {
      try CheckpointFolder(folder.file("smolm2.safetensors"))
    }
    #expect(error?.code == .notFound)
    #expect(error?.problem.contains("smollm2.safetensors") == true)
  }

  /// A hub cache with one model, its files links into `blobs`.
  private func makeCache(_ folder: TemporaryFolder, refs: String? = "c1\n", commits: [String])
    throws
  {
    let model = "hub/models--org--model"
    try folder.write(Self.empty, to: "\(model)/blobs/b1")
    for commit in commits {
      try folder.write([], to: "\(model)/snapshots/\(commit)/config.json")
      try FileManager.default.createSymbolicLink(
        atPath: folder.file("\(model)/snapshots/\(commit)/model.safetensors"),
        withDestinationPath: "../../blobs/b1"
      )
    }
    if let refs { try folder.write(Array(refs.utf8), to: "\(model)/refs/main") }
  }

  @Test(
    "resolves ids and folders of the hub's cache",
    arguments: ["HF_HUB_CACHE", "HF_HOME", "HOME"]
  )
  func cache(_ variable: String) throws {
    let folder = try TemporaryFolder()
    let root = try TemporaryFolder()
    try makeCache(folder, commits: ["c1", "c2"])
    let hub = folder.file("hub")
    try FileManager.default.createDirectory(
      atPath: root.file(".cache/huggingface"),
      withIntermediateDirectories: true
    )
    try FileManager.default.createSymbolicLink(
      atPath: root.file(".cache/huggingface/hub"),
      withDestinationPath: hub
    )
    let environment =
      switch variable {
      case "HF_HUB_CACHE": [variable: hub, "HOME": "/nowhere"]
      case "HF_HOME": [variable: folder.path, "HOME": "/nowhere"]
      default: [variable: root.path]
      }
    let found = try CheckpointFolder("org/model", environment: environment)
    #expect(found.path.hasSuffix("/models--org--model/snapshots/c1"))
    #expect(try found.open().entries.isEmpty)
    let direct = try CheckpointFolder("\(hub)/models--org--model", environment: environment)
    #expect(direct.path == "\(hub)/models--org--model/snapshots/c1")
    let error = #expect(throws: CheckpointError.self) {
      try CheckpointFolder("org/modle", environment: environment)
    }
    #expect(error?.code == .notFound)
    #expect(error?.problem.contains("nearest in the cache: org/model") == true)
  }

  @Test("takes the only snapshot without refs, and none of several")
  func snapshots() throws {
    let one = try TemporaryFolder()
    try makeCache(one, refs: nil, commits: ["c7"])
    let environment = ["HF_HOME": one.path]
    #expect(try CheckpointFolder("org/model", environment: environment).path.hasSuffix("/c7"))
    let two = try TemporaryFolder()
    try makeCache(two, refs: "gone", commits: ["c7", "c8"])
    let error = #expect(throws: CheckpointError.self) {
      try CheckpointFolder("org/model", environment: ["HF_HOME": two.path])
    }
    #expect(error?.code == .ambiguous)
    let none = try TemporaryFolder()
    try makeCache(none, refs: "c1", commits: [])
    #expect(
      #expect(throws: CheckpointError.self) {
        try CheckpointFolder("org/model", environment: ["HF_HOME": none.path])
      }?.code == .notFound
    )
  }

  @Test(
    "does not leave the cache for odd ids",
    arguments: ["../../etc", "a/../b", "/", "", ".", "a/b/c"]
  )
  func odd(_ name: String) throws {
    let folder = try TemporaryFolder()
    #expect(throws: CheckpointError.self) {
      try CheckpointFolder(name, environment: ["HF_HOME": folder.path])
    }
  }
}
