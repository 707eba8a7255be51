public import Tensor

/// How much each input of a model's layers matters: the squares of its values on calibration
/// texts, summed.
///
/// Quantizers weight the error of a matrix's columns by the mean squares. Files of llama.cpp's
/// `llama-imatrix` are read and written.
///
/// ```swift
/// let importance = try ImportanceMatrix(contentsOf: URL(filePath: "imatrix.gguf"))
/// let weights = importance["model.layers.0.mlp.down_proj"]?.meanSquares    // [F]
/// ```
public struct ImportanceMatrix: Sendable {
  /// What is known of one layer's inputs.
  public struct Entry: Sendable {
    /// The sum of the squares of each input, `[columns]`, `float32`.
    public var sumsOfSquares: Tensor
    /// How many inputs, each of `columns` numbers, were added: tokens.
    public var count: Int

    /// Creates an entry.
    ///
    /// - Precondition: `sumsOfSquares` has one axis and is `float32`.
    public init(sumsOfSquares: Tensor, count: Int) {
      require(
        sumsOfSquares.dtype == .float32 && sumsOfSquares.shape.rank == 1,
        "importance: \(sumsOfSquares.dtype) \(sumsOfSquares.shape) instead of sums by column"
      )
      self.sumsOfSquares = sumsOfSquares
      self.count = count
    }

    /// The mean square of each input, `[columns]`, `float32`; ones if nothing was added.
    public var meanSquares: Tensor {
      let divisor = Float(count)
      let sums = sumsOfSquares.elements(as: Float.self)
      return Tensor(count > 0 ? sums.map { $0 / divisor } : sums.map { _ in 1 })
    }
  }

  /// The entries by the names of linear layers, such as `model.layers.0.mlp.down_proj`, or for
  /// tensors that no such layer has, by their name in the file.
  public var entries: [String: Entry]
  /// The texts that the inputs are from, as paths or names.
  public var datasets: [String]
  /// How many sequences were run, 0 if unknown.
  public var chunkCount: Int
  /// The tokens of each sequence, 0 if unknown.
  public var chunkSize: Int

  /// Creates an importance matrix.
  public init(
    entries: [String: Entry] = [:],
    datasets: [String] = [],
    chunkCount: Int = 0,
    chunkSize: Int = 0
  ) {
    self.entries = entries
    self.datasets = datasets
    self.chunkCount = chunkCount
    self.chunkSize = chunkSize
  }

  /// The entry of a linear layer.
  public subscript(module: String) -> Entry? {
    get { entries[module] }
    set { entries[module] = newValue }
  }
}
