internal import Checkpoints
internal import Tensor

extension FolderWeights {
  /// Whether a module's weight is stored as a bitmask and values.
  static func isBitmasked(_ module: String, _ tensors: any TensorSource) -> Bool {
    tensors.entry("\(module).compressed") != nil && tensors.entry("\(module).bitmask") != nil
  }

  /// A matrix that is stored as a bitmask and the elements that are not zero: compressed-tensors'
  /// `sparse-bitmask`.
  ///
  /// What the parts say of each other is checked here, so that making the matrix cannot fail.
  ///
  /// - Complexity: One pass over the bitmask; the matrix is made when it is read.
  func bitmaskedMatrix(_ module: String, rows: Int, columns: Int) throws -> StoredWeight {
    let shape = try part("\(module).shape", .int64, [2])
    let extents = shape.elements(as: Int64.self)
    guard extents == [Int64(rows), Int64(columns)] else {
      throw ModelError(
        .inconsistent,
        "the matrix is \(extents), the configuration asks for [\(rows), \(columns)]",
        at: "\(file): \(module).shape",
        remedy: "configuration and weights belong to different models"
      )
    }
    let bytes = BitmaskedMatrix.rowByteCount(columns: columns)
    let bitmask = try part("\(module).bitmask", .uint8, [rows, bytes])
    if let row = BitmaskedMatrix.overlongRow(bitmask, columns: columns) {
      throw malformed(
        "row \(row) has bits behind its last column",
        "\(module).bitmask",
        at: (row + 1) * bytes - 1
      )
    }
    let offsets = BitmaskedMatrix.rowOffsets(bitmask)
    let stored = try part("\(module).row_offsets", .int64, [rows]).elements(as: Int64.self)
    if let row = stored.indices.first(where: { stored[$0] != Int64(offsets[$0]) }) {
      throw malformed(
        "row \(row) begins at value \(stored[row]), and the bitmask has \(offsets[row]) values "
          + "before it",
        "\(module).row_offsets",
        at: 8 * row
      )
    }
    let name = "\(module).compressed"
    guard let entry = tensors.entry(name) else { throw missing(name, in: file) }
    guard entry.shape.rank == 1, entry.shape[0] == offsets[rows] else {
      throw malformed(
        "the tensor is \(entry.shape), and the bitmask has \(offsets[rows]) values",
        name,
        at: 0
      )
    }
    let values = try tensors.tensor(name)
    guard [.float32, .float16, .bfloat16].contains(values.dtype) else {
      throw unsupportedType(values.dtype.rawValue, name, in: file)
    }
    let matrix = BitmaskedMatrix(bitmask: bitmask, values: values, columns: columns)
    return StoredWeight(rows: rows, columns: columns, format: .elements(values.dtype)) {
      DenseWeight(matrix.dense)
    }
  }

  /// A tensor that must have this type and shape.
  func part(_ name: String, _ dtype: DType, _ shape: Shape) throws -> Tensor {
    guard let entry = tensors.entry(name) else { throw missing(name, in: file) }
    guard entry.shape == shape, entry.encoding == .elements(dtype) else {
      throw malformed(
        "the tensor is \(entry.shape) of \(entry.encoding), not \(shape) of \(dtype)",
        name,
        at: 0
      )
    }
    return try tensors.tensor(name)
  }

  /// What a tensor has that it cannot have, at a byte of it.
  func malformed(_ problem: String, _ name: String, at offset: Int) -> CheckpointError {
    let entry = tensors.entry(name)
    return CheckpointError(
      .malformed,
      "tensor '\(name)': \(problem)",
      file: entry?.file ?? file,
      byteOffset: (entry?.byteRange.lowerBound ?? 0) + offset,
      name: name
    )
  }
}
