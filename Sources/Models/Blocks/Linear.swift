public import Tensor

/// A linear layer: `y = x · Wᵀ + b`.
///
/// The weight is read from its file when first asked for. Compression replaces the weight, never
/// the layer.
public final class Linear {
  /// The layer's name under Hugging Face's convention, such as
  /// `model.layers.0.self_attn.q_proj`.
  public let name: String
  /// The number of outputs.
  public let rows: Int
  /// The number of inputs.
  public let columns: Int
  /// How the weight is stored, known before it is read.
  public private(set) var format: WeightFormat
  /// Added to every output, `[outputs]`, as stored; nil for none.
  public let bias: Tensor?

  private let wideBias: Tensor?
  private var stored: StoredWeight
  private var loaded: (any LinearWeight)?

  /// Makes a layer of a weight that is still in its file.
  package init(name: String, stored: StoredWeight, bias: Tensor? = nil) {
    self.name = name
    self.rows = stored.rows
    self.columns = stored.columns
    self.format = stored.format
    self.stored = stored
    self.bias = bias
    self.wideBias = bias?.converted(to: .float32)
  }

  /// The weight in its present representation.
  ///
  /// - Precondition: A new weight has the shape of the old one.
  public var weight: any LinearWeight {
    get {
      if let loaded { return loaded }
      let weight = stored.read()
      loaded = weight
      return weight
    }
    set {
      require(
        newValue.rows == rows && newValue.columns == columns,
        "linear: \(name) is [\(rows), \(columns)], not [\(newValue.rows), \(newValue.columns)]"
      )
      loaded = newValue
      format = newValue.format
      isChanged = true
    }
  }

  /// Whether the weight differs from what its file holds.
  public private(set) var isChanged = false

  /// Forgets what was read, mapped pages included; the next use reads it again.
  ///
  /// A changed weight stays.
  package func release() {
    guard !isChanged, let weight = loaded else { return }
    for part in weight.parts { part.tensor.discardPages() }
    loaded = nil
  }

  /// Takes the weight from another file from here on.
  package func relocate(to stored: StoredWeight) {
    self.stored = stored
    format = stored.format
    loaded = nil
    isChanged = false
  }

  /// Returns `x · Wᵀ + b`.
  ///
  /// - Parameter x: `[..., inputs]`, float32.
  /// - Returns: `[..., outputs]`, float32.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.multiplied(by: weight.matrix, bias: wideBias)
  }
}

/// A weight matrix in a file: its shape and format, and how to read it.
///
/// Reading cannot fail: opening a model checks every tensor's place, type and shape.
package struct StoredWeight {
  package let rows: Int
  package let columns: Int
  package let format: WeightFormat
  package let read: () -> any LinearWeight

  package init(
    rows: Int,
    columns: Int,
    format: WeightFormat,
    read: @escaping () -> any LinearWeight
  ) {
    self.rows = rows
    self.columns = columns
    self.format = format
    self.read = read
  }

  /// A weight that is a view of a mapped file, or small.
  package init(_ weight: any LinearWeight) {
    self.init(rows: weight.rows, columns: weight.columns, format: weight.format) { weight }
  }
}
