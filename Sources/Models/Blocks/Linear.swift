public import Tensor

/// A linear layer: `y = x · Wᵀ + b`, plus the product of an adapter if it has one.
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
  /// The weight while it is trained, `[outputs, inputs]`, float32.
  package private(set) var parameter: Parameter?
  /// The bias while it is trained, `[outputs]`, float32.
  package private(set) var biasParameter: Parameter?
  /// Makes the weight out of trained parts each time it is used; nil for the weight itself.
  ///
  /// It returns `[outputs, inputs]`, float32, recorded as it depends on parameters, and stands for the weight, or its parameter, in products, head and rows alike: codes whose
  /// scales are trained, or a parameter times a mask that keeps its zeros. The elements are made
  /// again in the backward pass instead of being kept, so that one layer's exist at a time;
  /// making them should cost a pass over memory, and must give the same numbers until the
  /// parameters are changed. Whoever sets it takes it away again and sets the weight that results.
  package var composed: (() -> Tensor)?
  /// A weight that is used in place of the weight for a while, to see what it would do.
  ///
  /// Products, head and rows use it; ``weight`` and ``format`` stay what they are.
  package var trial: (any LinearWeight)?
  /// Called with each product's result, `[..., outputs]`, returns what is used in its place: the
  /// same numbers, recorded so that their gradient is seen in the backward pass.
  package var outputProbe: ((Tensor) -> Tensor)?
  /// What is added to the product while it is trained in place of the weight.
  package var adapter: LowRankAdapter?
  /// How the inputs are quantized, in products here and where the model is deployed; nil if they
  /// are not.
  ///
  /// It belongs to the layer, and stays when the weight is replaced.
  package var activation: ActivationQuantization?
  /// The precision of products with a trained weight.
  package var precision = ProductPrecision.float32

  private var storedBias: Tensor?
  private var wideBias: Tensor?
  private var stored: StoredWeight
  private var loaded: (any LinearWeight)? { didSet { strips = nil } }
  /// The blocks of the weight that are not zero, if enough are for products of few rows to be
  /// faster with them; nil until there is such a product.
  private var strips: StripMatrix??

  /// Makes a layer of a weight that is still in its file.
  package init(name: String, stored: StoredWeight, bias: Tensor? = nil) {
    self.name = name
    self.rows = stored.rows
    self.columns = stored.columns
    self.format = stored.format
    self.activation = stored.activation
    self.stored = stored
    self.storedBias = bias
    self.wideBias = bias?.converted(to: .float32)
  }

  /// Added to every output, `[outputs]`, as stored; nil for none.
  public var bias: Tensor? { biasParameter?.value.detached ?? storedBias }

  /// The weight in its present representation.
  ///
  /// - Precondition: A new weight has the shape of the old one, and the layer is not trained.
  public var weight: any LinearWeight {
    get {
      if let parameter { return DenseWeight(parameter.value.detached) }
      if let loaded { return loaded }
      let weight = stored.read()
      loaded = weight
      return weight
    }
    set {
      require(
        newValue.rows == rows && newValue.columns == columns && parameter == nil,
        "linear: \(name) is [\(rows), \(columns)], not [\(newValue.rows), \(newValue.columns)]"
      )
      discardLoadedPages()
      loaded = newValue
      format = newValue.format
      isChanged = true
    }
  }

  /// Replaces the bias by another of its shape, in the type in which it is to be stored.
  ///
  /// - Precondition: The layer has a bias, which is not trained.
  package func setBias(_ bias: Tensor) {
    require(
      bias.shape == storedBias?.shape && biasParameter == nil,
      "linear: \(name) has no bias of \(bias.shape), or it is trained"
    )
    storedBias = bias
    wideBias = bias.converted(to: .float32)
  }

  /// Whether the weight differs from what its file holds.
  public private(set) var isChanged = false

  /// Forgets what was read, mapped pages included; the next use reads it again.
  ///
  /// A changed weight stays.
  package func release() {
    guard !isChanged else { return }
    discardLoadedPages()
    loaded = nil
  }

  /// Gives back what the system holds of the weight's file, which replacing the weight would leave
  /// resident: a walk through a deep model would end with all of it in memory.
  private func discardLoadedPages() {
    for part in loaded?.parts ?? [] { part.tensor.discardPages() }
  }

  /// Takes the weight from another file from here on.
  package func relocate(to stored: StoredWeight) {
    discardLoadedPages()
    self.stored = stored
    format = stored.format
    loaded = nil
    isChanged = false
  }

  /// Returns `x · Wᵀ + b`.
  ///
  /// If the layer's inputs are quantized, each row of `x` is rounded to bytes first. With a weight
  /// of symmetric integer codes the product is then computed in integers; otherwise with the
  /// numbers that the bytes stand for.
  ///
  /// - Parameter x: `[..., inputs]`, float32.
  /// - Returns: `[..., outputs]`, float32.
  public func callAsFunction(_ x: Tensor) -> Tensor { self(LayerInput(x)) }

  /// Returns `x · Wᵀ + b` of an input that need not be kept.
  func callAsFunction(_ x: LayerInput) -> Tensor {
    var y: Tensor
    let bias = biasParameter?.value ?? wideBias
    if let composed {
      let input = rounded(x)
      y = input.value.linear(
        weight: composed(),
        bias: bias,
        precision: precision,
        inputAgain: input.again,
        weightAgain: { composed().detached }
      )
    } else if let parameter {
      let input = rounded(x)
      y = input.value.linear(
        weight: parameter.value,
        bias: bias,
        precision: precision,
        inputAgain: input.again
      )
    } else if let activation, usedMatrix.hasIntegerCodes {
      y = x.value.multipliedInIntegers(
        by: usedMatrix,
        bias: bias,
        scale: activation.scale
      )
    } else {
      let input = rounded(x).value
      let matrix = usedMatrix
      y = input.multiplied(by: matrix, bias: bias, strips: strips(for: input, matrix))
    }
    if let adapter { y = y + adapter(x, precision: precision) }
    return outputProbe?(y) ?? y
  }

  /// Returns the outputs of layers that share their input, in one go where that is faster.
  static func outputs(of layers: [Linear], _ x: LayerInput) -> [Tensor] {
    guard layers.allSatisfy({ $0.isPlainProduct(of: x.value) }) else { return layers.map { $0(x) } }
    return x.value.multiplied(byAll: layers.map { ($0.usedMatrix, $0.wideBias) })
  }

  /// Whether the output is the product with the stored weight and nothing else.
  private func isPlainProduct(of x: Tensor) -> Bool {
    composed == nil && parameter == nil && activation == nil && adapter == nil
      && outputProbe == nil && strips(for: x, usedMatrix) == nil
  }

  /// The blocks of the weight to multiply few rows by; nil to multiply by the weight.
  private func strips(for x: Tensor, _ matrix: StoredMatrix) -> StripMatrix? {
    guard trial == nil, x.shape.rows <= StripMatrix.mostRows else { return nil }
    if let strips { return strips }
    let found = StripMatrix(matrix)
    strips = .some(found)
    return found
  }

  private var usedMatrix: StoredMatrix { (trial ?? weight).matrix }

  /// The input as numbers that bytes stand for, if the layer's inputs are quantized.
  private func rounded(_ x: LayerInput) -> LayerInput {
    guard let activation else { return x }
    let again = x.again.map { again in { again().roundedToEightBits(scale: activation.scale) } }
    return LayerInput(x.value.roundedToEightBits(scale: activation.scale), again: again)
  }

  /// The weight as the matrix that makes logits.
  package var headMatrix: HeadMatrix {
    if let composed { return .tensor(composed()) }
    return parameter.map { .tensor($0.value) } ?? .stored(usedMatrix)
  }

  /// Returns the rows of the weight with some ids: the embedding of tokens, `[ids, inputs]`.
  func rows(_ ids: [Int32]) -> Tensor {
    if let composed { return composed().gathered(rows: ids) }
    return parameter?.value.gathered(rows: ids) ?? usedMatrix.gathered(rows: ids)
  }
}

// MARK: - Training

extension Linear {
  /// Makes the weight, and the bias if there is one, parameters, or returns those that they are.
  package func makeTrainable() -> [Parameter] {
    if parameter == nil {
      parameter = Parameter("\(name).weight", weight.dense)
      biasParameter = wideBias.map { Parameter("\(name).bias", $0.copied()) }
      // What was read of the file is not needed any more: the parameter takes its place.
      release()
      loaded = nil
    }
    return [parameter, biasParameter].compactMap(\.self)
  }

  /// Ends training: weight and bias become constants.
  ///
  /// - Parameter dtype: The type of the elements from here on; that of the weight before training
  ///   if nil, or float32 if it was quantized.
  package func freeze(as dtype: DType?) {
    guard let trained = parameter?.value.detached else { return }
    var own = DType.float32
    if case .elements(let type) = format { own = type }
    if let bias = biasParameter?.value.detached {
      storedBias = bias.converted(to: dtype ?? storedBias?.dtype ?? own)
      wideBias = storedBias?.converted(to: .float32)
    }
    parameter = nil
    biasParameter = nil
    weight = DenseWeight(trained.converted(to: dtype ?? own))
  }

  /// Ends training and forgets it: weight and bias are what the file holds.
  ///
  /// - Precondition: They were that before training.
  package func discardTraining() {
    require(!isChanged, "linear: \(name) had been changed before it was trained")
    parameter = nil
    biasParameter = nil
  }
}

/// A weight matrix in a file: its shape and format, and how to read it.
///
/// Reading cannot fail: opening a model checks every tensor's place, type and shape.
package struct StoredWeight {
  package let rows: Int
  package let columns: Int
  package let format: WeightFormat
  /// How the inputs of the layer are quantized, if the file says that they are.
  package var activation: ActivationQuantization?
  package let read: () -> any LinearWeight

  package init(
    rows: Int,
    columns: Int,
    format: WeightFormat,
    activation: ActivationQuantization? = nil,
    read: @escaping () -> any LinearWeight
  ) {
    self.rows = rows
    self.columns = columns
    self.format = format
    self.activation = activation
    self.read = read
  }

  /// A weight that is a view of a mapped file, or small.
  package init(_ weight: any LinearWeight) {
    self.init(rows: weight.rows, columns: weight.columns, format: weight.format) { weight }
  }
}
