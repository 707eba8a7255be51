internal import Foundation
public import Tensor

/// A checkpoint spread over several safetensors files, joined by an index.
///
/// The index is JSON: `{"metadata": {…}, "weight_map": {"tensor": "file"}}`. It decides which
/// tensors there are; others in the files are ignored.
public struct ShardedSafetensors: TensorSource {
  /// The mapped files, by name.
  public let files: [MappedFile]
  /// What the headers' `__metadata__` say; where files differ, what the first says.
  public let metadata: [String: String]
  private let mapped: MappedEntries

  /// The longest index that is read, in bytes.
  static let maximumIndexByteCount = 100_000_000

  /// Opens an index, such as `model.safetensors.index.json`, and every file it names.
  ///
  /// - Throws: ``CheckpointError`` if the index or a header is malformed, or a file lacks a
  ///   tensor that the index promises.
  /// - Complexity: O(length of index and headers), whatever the size of the tensors.
  public init(indexPath: String) throws(CheckpointError) {
    let index = try SafetensorsIndex(path: indexPath)
    let folder = (indexPath as NSString).deletingLastPathComponent
    var files: [MappedFile] = []
    var entries: [TensorEntry] = []
    var metadata: [String: String] = [:]
    for (name, tensors) in index.files.sorted(by: { $0.key < $1.key }) {
      let file = try MappedFile(path: (folder as NSString).appendingPathComponent(name))
      let header = try SafetensorsHeader(file)
      metadata.merge(header.metadata) { first, _ in first }
      let found = header.entries.filter { tensors.contains($0.name) }
      if found.count < tensors.count {
        let missing = tensors.subtracting(found.map(\.name)).min() ?? ""
        throw CheckpointError(
          .missingTensor,
          "tensor '\(missing)' is not in \(name), where the index promises it",
          file: indexPath,
          name: missing,
          remedy: "download index and files again, together"
        )
      }
      files.append(file)
      entries += found
    }
    self.files = files
    self.metadata = metadata
    self.mapped = MappedEntries(entries, in: files, path: indexPath)
  }

  /// The tensors, file by file in the order of their bytes.
  public var entries: [TensorEntry] { mapped.entries }

  /// Returns the entry of that name, if there is one.
  public func entry(_ name: String) -> TensorEntry? { mapped.entry(name) }

  /// Returns a tensor as a view of its file, in its own dtype.
  public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    try mapped.tensor(name)
  }

  /// Returns a tensor's bytes, a view of type `uint8`.
  public func bytes(_ name: String) throws(CheckpointError) -> Tensor {
    try mapped.bytes(name)
  }
}

/// Which tensors are in which file.
struct SafetensorsIndex {
  /// The names of the tensors in each file.
  var files: [String: Set<String>] = [:]

  init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    guard file.byteCount <= ShardedSafetensors.maximumIndexByteCount else {
      throw CheckpointError(
        .malformed,
        "an index of \(file.byteCount) bytes",
        file: path,
        byteOffset: 0
      )
    }
    var scanner = JSONScanner(file.unsafeBytes, file: path)
    var files: [String: Set<String>] = [:]
    var hasMap = false
    try scanner.readObject { key, scanner throws(CheckpointError) in
      guard key == "weight_map" else { return try scanner.skipValue() }
      hasMap = true
      try scanner.readObject { tensor, scanner throws(CheckpointError) in
        let name = try scanner.readString()
        guard Self.staysInside(name) else {
          throw scanner.error("file '\(name)' lies outside the checkpoint's folder", name: tensor)
        }
        files[name, default: []].insert(tensor)
      }
    }
    try scanner.finish()
    if !hasMap { throw scanner.error("the index has no weight_map") }
    self.files = files
  }

  /// Whether a name from an untrusted index can only lead into the index's own folder.
  private static func staysInside(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix("/") && !name.utf8.contains(0)
      && !name.split(separator: "/").contains("..")
  }
}
