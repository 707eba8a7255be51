public import Tensor

/// Writes a GGUF file of version 3 tensor by tensor, in memory that does not grow with the file.
///
/// ```swift
/// var writer = try GGUFWriter(
///   path: "model.gguf", metadata: ["general.architecture": .string("llama")],
///   tensors: [TensorDeclaration("blk.0.ffn_up.weight", .blocks(.q4_0), shape: [1536, 576])])
/// try writer.append(weight.roundedToBlocks(.q4_0), to: "blk.0.ffn_up.weight")
/// try writer.finish()
/// ```
///
/// Tensors keep the order of their declarations. The file appears under its name only when it
/// is complete.
public struct GGUFWriter: ~Copyable {
  private let layout: TensorLayout

  /// The longest name of a tensor that llama.cpp reads, in bytes.
  static let maximumNameByteCount = 63

  /// Creates the file under a temporary name and writes the header.
  ///
  /// - Parameters:
  ///   - path: The path of the finished file; an existing file is replaced at the end.
  ///   - metadata: The keys and values, in order. `general.alignment`, if there, must be a 32-bit
  ///     power of two from 8 to 2²⁰; it is 32 otherwise.
  ///   - tensors: What will be appended, of `float64`, `float32`, `float16`, `bfloat16`, signed
  ///     integers or blocks; shapes are outermost first and have one to four axes.
  /// - Throws: ``CheckpointError`` with code `invalidRequest` for what the format cannot hold, or
  ///   `unwritable`, also when the disk has no room for the whole file.
  public init(
    path: String,
    metadata: GGUFMetadata,
    tensors: [TensorDeclaration]
  ) throws(CheckpointError) {
    try tensors.requireUniqueNames(path: path)
    let plan = try Self.plan(path: path, metadata: metadata, tensors: tensors)
    self.layout = try TensorLayout(
      path: path,
      header: plan.header,
      tensors: plan.tensors,
      byteCount: plan.byteCount
    )
  }

  /// Returns the size of the file that would be written, in bytes.
  ///
  /// It depends on names, shapes and encodings, and on metadata; nothing is written.
  ///
  /// - Parameters:
  ///   - metadata: The keys and values.
  ///   - tensors: What would be appended.
  /// - Returns: The number of bytes.
  /// - Throws: ``CheckpointError`` with code `invalidRequest` for what the format cannot hold.
  package static func byteCount(
    metadata: GGUFMetadata,
    tensors: [TensorDeclaration]
  ) throws(CheckpointError) -> Int {
    try plan(path: "GGUF file", metadata: metadata, tensors: tensors).byteCount
  }

  private static func plan(
    path: String,
    metadata: GGUFMetadata,
    tensors: [TensorDeclaration]
  ) throws(CheckpointError) -> (
    header: [UInt8], tensors: [(declaration: TensorDeclaration, range: Range<Int>)],
    byteCount: Int
  ) {
    let alignment = try Self.alignment(metadata, path: path)
    var encoder = FieldEncoder()
    encoder.append(0x4655_4747 as UInt32)
    encoder.append(3 as UInt32)
    encoder.append(UInt64(tensors.count))
    encoder.append(UInt64(metadata.count))
    for key in metadata.keys {
      guard let value = metadata[key] else { continue }
      encoder.append(key)
      encoder.append(value.kind.rawValue)
      encoder.append(value)
    }
    var end = 0
    var placed: [(declaration: TensorDeclaration, range: Range<Int>)] = []
    for declaration in tensors {
      let size = try Self.append(declaration, offset: end, to: &encoder, path: path)
      // The limit leaves room for padding and the header without another check.
      guard size < Int.max / 4 && end < Int.max / 4 else {
        throw CheckpointError(.invalidRequest, "the tensors exceed an Int of bytes", file: path)
      }
      placed.append((declaration, end..<end + size))
      end = (end + size + alignment - 1) / alignment * alignment
    }
    let padding = (alignment - encoder.bytes.count % alignment) % alignment
    encoder.bytes.append(contentsOf: repeatElement(0, count: padding))
    let dataStart = encoder.bytes.count
    for index in placed.indices {
      let range = placed[index].range
      placed[index].range = range.lowerBound + dataStart..<range.upperBound + dataStart
    }
    return (encoder.bytes, placed, dataStart + end)
  }

  /// Writes the next rows of a tensor, or all of it.
  ///
  /// - Parameters:
  ///   - tensor: Rows that follow those already appended: of the declared dtype and shape but
  ///     for the first axis, or, for blocks, `uint8` of shape `[rows, bytes of a row]`.
  ///   - name: The name of a declared tensor.
  /// - Throws: ``CheckpointError`` with code `invalidRequest` if dtype, shape or number of rows
  ///   are not as declared, or `unwritable`.
  public mutating func append(_ tensor: Tensor, to name: String) throws(CheckpointError) {
    try layout.append(tensor, to: name)
  }

  /// Waits until all bytes are on the disk, then gives the file its name.
  ///
  /// - Throws: ``CheckpointError`` with code `invalidRequest` if a tensor is not complete, or
  ///   `unwritable`. The temporary file is removed then.
  public consuming func finish() throws(CheckpointError) { try layout.finish() }

  private static func alignment(
    _ metadata: GGUFMetadata,
    path: String
  ) throws(CheckpointError) -> Int {
    guard let value = metadata["general.alignment"] else { return 32 }
    // The format asks for multiples of 8; a power of two is what llama.cpp reads.
    guard case .uint32(let number) = value, number.nonzeroBitCount == 1,
      8...1 << 20 ~= number
    else {
      throw CheckpointError(
        .invalidRequest,
        "general.alignment is \(value), not a 32-bit power of two from 8 to 2²⁰",
        file: path,
        name: "general.alignment"
      )
    }
    return Int(number)
  }

  /// Appends what announces a tensor, and returns its size in bytes.
  private static func append(
    _ declaration: TensorDeclaration,
    offset: Int,
    to encoder: inout FieldEncoder,
    path: String
  ) throws(CheckpointError) -> Int {
    let name = declaration.name
    func error(_ problem: String) -> CheckpointError {
      CheckpointError(.invalidRequest, "tensor '\(name)' \(problem)", file: path, name: name)
    }
    guard name.utf8.count <= maximumNameByteCount else {
      throw error("has a name of more than \(maximumNameByteCount) bytes")
    }
    guard 1...GGUFHeader.maximumRank ~= declaration.shape.rank else {
      throw error("has \(declaration.shape.rank) axes, not 1 to \(GGUFHeader.maximumRank)")
    }
    guard let type = GGUFType.number(of: declaration.encoding) else {
      throw error("is of \(declaration.encoding), which GGUF does not have")
    }
    let size = try declaration.requireByteCount(path: path)
    encoder.append(name)
    encoder.append(UInt32(declaration.shape.rank))
    for extent in declaration.shape.dimensions.reversed() { encoder.append(UInt64(extent)) }
    encoder.append(type)
    encoder.append(UInt64(offset))
    return size
  }
}
