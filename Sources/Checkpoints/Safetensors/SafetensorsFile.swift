public import Tensor

/// A safetensors file, mapped; tensors are views of it.
///
/// ```swift
/// let file = try SafetensorsFile(path: "model.safetensors")
/// let weight = try file.tensor("model.norm.weight")    // bfloat16 [576]
/// ```
public struct SafetensorsFile: TensorSource {
  /// The mapped file.
  public let file: MappedFile
  /// What the header's `__metadata__` says, such as `format: pt`.
  public let metadata: [String: String]
  private let mapped: MappedEntries

  /// Opens a file and checks its header.
  ///
  /// - Throws: ``CheckpointError`` if the file cannot be mapped or its header breaks a rule of
  ///   the format. A type that cannot be read is an error only when that tensor is read.
  /// - Complexity: O(length of the header), whatever the size of the tensors.
  public init(path: String) throws(CheckpointError) {
    let file = try MappedFile(path: path)
    let header = try SafetensorsHeader(file)
    self.file = file
    self.metadata = header.metadata
    self.mapped = MappedEntries(header.entries, in: [file], path: path)
  }

  /// The tensors in the order of their bytes.
  public var entries: [TensorEntry] { mapped.entries }

  /// Returns the entry of that name, if there is one.
  public func entry(_ name: String) -> TensorEntry? { mapped.entry(name) }

  /// Returns a tensor as a view of the file, in its own dtype.
  public func tensor(_ name: String) throws(CheckpointError) -> Tensor {
    try mapped.tensor(name)
  }

  /// Returns a tensor's bytes, a view of type `uint8`.
  public func bytes(_ name: String) throws(CheckpointError) -> Tensor {
    try mapped.bytes(name)
  }
}
