public import Tensor

/// A GGUF file of version 2 or 3, mapped; tensors of elements are views of it.
///
/// The file stores a tensor's extents innermost first; here they are reversed, so that a linear
/// weight is `[outputs, inputs]` as in every other checkpoint.
///
/// ```swift
/// let file = try GGUFFile(path: "SmolLM2-135M-Instruct.Q4_1.gguf")
/// try file.metadata.integer("llama.block_count")          // 30
/// try file.tensor("blk.0.attn_q.weight")                   // float32 [576, 576], dequantized
/// try file.bytes("blk.0.attn_q.weight")                    // uint8 [576, 360], as stored
/// ```
public struct GGUFFile: TensorSource {
  /// The mapped file.
  public let file: MappedFile
  /// The version of the format, 2 or 3.
  public let version: Int
  /// What tensors' offsets are multiples of, in bytes.
  public let alignment: Int
  /// The keys and values.
  public let metadata: GGUFMetadata
  private let mapped: MappedEntries

  /// Opens a file and checks its header.
  ///
  /// - Throws: ``CheckpointError`` if the file cannot be mapped or its header is malformed. A
  ///   tensor type that cannot be read is an error only when that tensor is read.
  /// - Complexity: O(length of the header), whatever the size of the tensors. Memory does not
  ///   depend on the metadata's arrays, which stay in the file.
  public init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    let header = try GGUFHeader(file)
    self.file = file
    self.version = header.version
    self.alignment = header.alignment
    self.metadata = header.metadata
    self.mapped = MappedEntries(header.entries, in: [file], path: path)
  }

  /// The tensors in the order of their bytes.
  public var entries: [TensorEntry] { mapped.entries }

  /// Returns the entry of that name, if there is one.
  public func entry(_ name: String) -> TensorEntry? { mapped.entry(name) }

  /// Returns a tensor: elements as a view of the file, blocks dequantized to `float32`.
  public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    try mapped.tensor(name)
  }

  /// Returns a tensor's bytes, a view of type `uint8`, `[rows, bytes of a row]`.
  public func bytes(_ name: String) throws(CheckpointError) -> Tensor {
    try mapped.bytes(name)
  }
}
