public import Tensor

/// Named tensors in one or several files, read only when asked for.
///
/// ```swift
/// let source = try CheckpointFolder("models/SmolLM2-135M").open()
/// for entry in source.entries { print(entry.name, entry.encoding, entry.shape) }
/// let embedding = try source.tensor("model.embed_tokens.weight")   // a window on the file
/// ```
public protocol TensorSource: Sendable {
  /// The tensors, file by file in the order of their bytes.
  var entries: [TensorEntry] { get }

  /// Returns the entry of that name, if there is one.
  ///
  /// - Complexity: O(1).
  func entry(_ name: String) -> TensorEntry?

  /// Returns a tensor's numbers.
  ///
  /// Elements come as a view of the mapped file in their own dtype, without being read. Blocks
  /// come dequantized to `float32`.
  ///
  /// - Throws: ``CheckpointError`` with code `missingTensor`, or `unsupported` for a type that
  ///   cannot be read.
  func tensor(_ name: String) throws(CheckpointError) -> Tensor

  /// Returns a tensor's bytes as they are in the file, a view of type `uint8`.
  ///
  /// The shape is `[rows, bytes of a row]`, or `[bytes]` for a type that cannot be read.
  ///
  /// - Throws: ``CheckpointError`` with code `missingTensor`, or `unsupported` for a type of
  ///   unknown size.
  func bytes(_ name: String) throws(CheckpointError) -> Tensor
}

/// The entries of a checkpoint by name, and the mapped files they lie in.
struct MappedEntries: Sendable {
  let entries: [TensorEntry]
  private let indices: [String: Int]
  private let files: [String: MappedFile]
  /// What the user named: a file, or the index of several.
  let path: String

  /// - Precondition: Names are unique, and byte ranges lie within their files.
  init(_ entries: [TensorEntry], in files: [MappedFile], path: String) {
    self.entries = entries
    self.path = path
    self.indices = Dictionary(
      entries.enumerated().map { ($1.name, $0) },
      uniquingKeysWith: { first, _ in first }
    )
    self.files = Dictionary(
      files.map { ($0.path, $0) },
      uniquingKeysWith: { first, _ in first }
    )
  }

  func entry(_ name: String) -> TensorEntry? { indices[name].map { entries[$0] } }

  func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    let (entry, file) = try located(name)
    switch entry.encoding {
    case .elements(let dtype):
      return file.tensor(entry.byteRange, shape: entry.shape, dtype: dtype)
    case .blocks(let format):
      let packed = file.tensor(entry.byteRange, shape: [entry.byteCount], dtype: .uint8)
      return Tensor(blocks: packed, format: format, shape: entry.shape)
    case .unsupported(let type):
      throw CheckpointError(
        .unsupported,
        "tensor '\(name)' is of type \(type), which cannot be read",
        file: entry.file,
        byteOffset: entry.byteRange.lowerBound,
        name: name
      )
    }
  }

  func bytes(_ name: String) throws(CheckpointError) -> Tensor {
    let (entry, file) = try located(name)
    let rows = entry.shape.rows
    if case .unsupported(let type) = entry.encoding {
      // Of a type that is not known at all the size is not known either.
      guard entry.byteCount > 0 || entry.shape.count == 0 else {
        throw CheckpointError(
          .unsupported,
          "tensor '\(name)' is of type \(type), whose size is not known",
          file: entry.file,
          byteOffset: entry.byteRange.lowerBound,
          name: name
        )
      }
      return file.tensor(entry.byteRange, shape: [entry.byteCount], dtype: .uint8)
    }
    let shape: Shape = [rows, rows == 0 ? 0 : entry.byteCount / rows]
    return file.tensor(entry.byteRange, shape: shape, dtype: .uint8)
  }

  private func located(
    _ name: String
  ) throws(CheckpointError) -> (entry: TensorEntry, file: MappedFile) {
    guard let entry = entry(name), let file = files[entry.file] else {
      throw CheckpointError(
        .missingTensor,
        "there is no tensor '\(name)'\(nearest(to: name))",
        file: path,
        name: name
      )
    }
    return (entry, file)
  }

  private func nearest(to name: String) -> String {
    let names = name.nearestMatches(in: entries.lazy.map(\.name))
    return names.isEmpty ? "" : "; nearest: \(names.joined(separator: ", "))"
  }
}
