internal import Tensor

/// A model's tensors by Hugging Face's names, whatever file and format hold them.
protocol WeightSource {
  /// Whether the module has a weight.
  func contains(_ module: String) -> Bool

  /// Describes a weight matrix without reading it.
  ///
  /// - Throws: ``ModelError`` if it is missing, of a type that is not supported, or not
  ///   `[rows, columns]`.
  func matrix(_ module: String, rows: Int, columns: Int) throws -> StoredWeight

  /// Reads a vector, such as a normalization's weight or a bias.
  ///
  /// - Throws: ``ModelError`` if it is missing, of a type that is not supported, or not `[count]`.
  func vector(_ name: String, count: Int) throws -> Tensor
}

/// Checks a tensor's shape against what the configuration asks for.
func requireShape(
  _ shape: Shape,
  _ expected: Shape,
  _ name: String,
  in file: String
) throws(ModelError) {
  guard shape != expected else { return }
  throw ModelError(
    .inconsistent,
    "the tensor is \(shape), the configuration asks for \(expected)",
    at: "\(file): \(name)",
    remedy: "configuration and weights belong to different models"
  )
}

/// The error for a tensor that the configuration asks for and the file lacks.
func missing(_ name: String, in file: String) -> ModelError {
  ModelError(
    .inconsistent,
    "the tensor is missing",
    at: "\(file): \(name)",
    remedy: "configuration and weights belong to different models, or a shard was not fetched"
  )
}

/// The error for a tensor whose dtype a model cannot compute with.
func unsupportedType(_ type: String, _ name: String, in file: String) -> ModelError {
  ModelError(
    .unsupported,
    "weights of type \(type) are not supported",
    at: "\(file): \(name)",
    remedy: "convert them to float32, float16 or bfloat16"
  )
}
