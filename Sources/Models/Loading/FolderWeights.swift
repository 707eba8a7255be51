internal import Checkpoints
internal import Tensor

/// The weights of a Hugging Face folder: plain, or in one of the quantized forms that are read.
struct FolderWeights: WeightSource {
  let tensors: any TensorSource
  /// What to call the folder in errors.
  let file: String
  /// How the folder's quantized weights are stored, if some are.
  let quantization: (any QuantizedReader)?

  func contains(_ module: String) -> Bool {
    tensors.entry("\(module).weight") != nil || quantization?.contains(module, tensors) == true
  }

  func matrix(_ module: String, rows: Int, columns: Int) throws -> StoredWeight {
    if let quantization, quantization.contains(module, tensors) {
      return try quantization.matrix(module, rows: rows, columns: columns, in: self)
    }
    let weight = try dense("\(module).weight", shape: [rows, columns])
    return StoredWeight(DenseWeight(weight))
  }

  func vector(_ name: String, count: Int) throws -> Tensor { try dense(name, shape: [count]) }

  private func dense(_ name: String, shape: Shape) throws -> Tensor {
    let tensor = try self.tensor(name, shape: shape)
    guard tensor.dtype.isFloatingPoint else {
      throw unsupportedType(tensor.dtype.rawValue, name, in: file)
    }
    return tensor
  }

  /// A tensor of the given shape, as stored.
  func tensor(_ name: String, shape: Shape) throws -> Tensor {
    guard let entry = tensors.entry(name) else { throw missing(name, in: file) }
    try requireShape(entry.shape, shape, name, in: file)
    return try tensors.tensor(name)
  }
}

/// Reads the weights that a `quantization_config` describes.
protocol QuantizedReader {
  /// Whether the module's weight is stored in the quantized form.
  func contains(_ module: String, _ tensors: any TensorSource) -> Bool

  /// Describes the module's weight, having checked types and shapes of all its parts.
  func matrix(
    _ module: String,
    rows: Int,
    columns: Int,
    in source: FolderWeights
  ) throws -> StoredWeight
}
