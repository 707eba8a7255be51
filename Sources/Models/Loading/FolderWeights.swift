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
    return try plainMatrix(module, rows: rows, columns: columns)
  }

  /// A matrix that is stored element by element.
  func plainMatrix(_ module: String, rows: Int, columns: Int) throws -> StoredWeight {
    StoredWeight(DenseWeight(try dense("\(module).weight", shape: [rows, columns])))
  }

  /// The scale that all inputs of a layer share.
  func inputScale(_ module: String) throws -> Float {
    let name = "\(module).input_scale"
    guard let entry = tensors.entry(name) else { throw missing(name, in: file) }
    // Some writers leave out the axis of a single number.
    let tensor = try dense(name, shape: entry.shape.rank == 0 ? [] : [1])
    let scale = tensor.converted(to: .float32).elements(as: Float.self).first ?? 0
    guard scale.isFinite, scale > 0 else {
      throw ModelError(
        .invalid,
        "the scale of the inputs is \(scale)",
        at: "\(file): \(name)",
        remedy: "the checkpoint is damaged; fetch it again, or quantize again"
      )
    }
    return scale
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
