package import Tensor

/// A place where a scale per channel can move from what makes the channels into the layers that
/// read them, without changing what the model computes.
///
/// Channel `j` of what is made is divided by `s_j`, and column `j` of every reader is multiplied by
/// it. With grouped key heads a value channel is read once for each query head of its group, and
/// those columns share their scale.
///
/// ```swift
/// for pair in model.scalingPairs(ofBlock: 0) {
///   pair.apply(Array(repeating: 2, count: pair.scaleCount))     // nothing changes
/// }
/// ```
public struct ScalingPair {
  /// Where in a block the pair is, by the layers that read.
  public enum Place: Sendable, Hashable, CaseIterable {
    /// From the first normalization to the query, key and value projections.
    case attentionInput
    /// From the value to the output projection.
    case attentionOutput
    /// From the second normalization to the gate and up projections.
    case feedForwardInput
    /// From the up to the down projection; the gate multiplies what up makes.
    case feedForwardOutput

    /// What makes the channels, as its name goes on after the block's.
    public var producer: String {
      switch self {
      case .attentionInput: "input_layernorm"
      case .attentionOutput: "self_attn.v_proj"
      case .feedForwardInput: "post_attention_layernorm"
      case .feedForwardOutput: "mlp.up_proj"
      }
    }

    /// The layers that read the channels, as their names go on after the block's.
    public var consumers: [String] {
      switch self {
      case .attentionInput: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]
      case .attentionOutput: ["self_attn.o_proj"]
      case .feedForwardInput: ["mlp.gate_proj", "mlp.up_proj"]
      case .feedForwardOutput: ["mlp.down_proj"]
      }
    }
  }

  /// What makes the channels.
  package enum Producer {
    case norm(Normalization)
    /// A layer whose rows, with their biases, are the channels.
    case linear(Linear)
  }

  /// Where the pair is.
  public let place: Place
  /// The layers that read the channels.
  public let consumers: [Linear]
  /// The number of scales: the channels that are made.
  public let scaleCount: Int

  private let producer: Producer
  /// Which scale each column of the readers has.
  package let scaleOfColumn: [Int]

  /// Makes a pair.
  ///
  /// - Parameters:
  ///   - place: Where the pair is.
  ///   - producer: What makes the channels.
  ///   - consumers: The layers that read them, all of one number of columns.
  ///   - scaleOfColumn: The channel that each of these columns reads; nil if they are the channels.
  package init(
    _ place: Place,
    producer: Producer,
    consumers: [Linear],
    scaleOfColumn: [Int]? = nil
  ) {
    self.place = place
    self.producer = producer
    self.consumers = consumers
    scaleCount =
      switch producer {
      case .norm(let norm): norm.weight.count
      case .linear(let linear): linear.rows
      }
    self.scaleOfColumn = scaleOfColumn ?? Array(0..<scaleCount)
    require(
      consumers.allSatisfy { $0.columns == self.scaleOfColumn.count },
      "scaling pair: \(place) does not fit its readers"
    )
  }

  /// The layers whose weights the scales change: the readers, and what makes the channels if that
  /// is a layer.
  public var linears: [Linear] {
    if case .linear(let linear) = producer { [linear] + consumers } else { consumers }
  }

  /// Returns the scale of each column of the readers.
  ///
  /// - Precondition: There are ``scaleCount`` scales.
  public func columnScales(_ scales: [Float]) -> [Float] { scaleOfColumn.map { scales[$0] } }

  /// Returns the mean for each scale of numbers for each column.
  public func means(ofColumns values: [Double]) -> [Double] {
    var (sums, counts) = (
      Array(repeating: 0.0, count: scaleCount), [Int](repeating: 0, count: scaleCount)
    )
    for (column, scale) in scaleOfColumn.enumerated() {
      sums[scale] += values[column]
      counts[scale] += 1
    }
    return zip(sums, counts).map { $0 / Double(max(1, $1)) }
  }

  /// Returns the largest for each scale of numbers from 0 for each column.
  public func maxima(ofColumns values: [Double]) -> [Double] {
    var result = Array(repeating: 0.0, count: scaleCount)
    for (column, scale) in scaleOfColumn.enumerated() {
      result[scale] = max(result[scale], values[column])
    }
    return result
  }

  /// Returns the scales nearest to some by which what makes the channels can be divided exactly.
  ///
  /// The weights of a normalization are rounded to their type after the division; the scale that
  /// leads exactly to the rounded weight replaces the one asked for, so that readers make up for
  /// the rounding. Scales of a layer's rows stay as they are.
  public func attainable(_ scales: [Float]) -> [Float] {
    guard case .norm(let norm) = producer else { return scales }
    let weights = norm.weight.converted(to: .float32)
    let divided = (weights / Tensor(scales)).converted(to: norm.weight.dtype)
      .converted(to: .float32).elements(as: Float.self)
    return zip(weights.elements(as: Float.self), zip(divided, scales)).map { weight, pair in
      let (quotient, scale) = pair
      if weight == 0 { return scale }
      let exact = weight / quotient
      return quotient != 0 && quotient.isFinite && exact.isFinite ? exact : 1
    }
  }

  /// Divides what makes the channels by scales, and multiplies its readers.
  ///
  /// Weights stay of their type, so that those of 16 bits are rounded once more, by at most 2⁻⁹ of
  /// each for bfloat16; quantized ones become float32. Use scales that are ``attainable(_:)``.
  ///
  /// - Parameter scales: One positive number per channel.
  /// - Precondition: Nothing of the pair is being trained.
  public func apply(_ scales: [Float]) {
    apply(scales) { linear, elements in
      if case .elements(let dtype) = linear.format {
        return DenseWeight(elements.converted(to: dtype))
      }
      return DenseWeight(elements)
    }
  }

  /// Divides what makes the channels by scales, and multiplies its readers.
  ///
  /// - Parameters:
  ///   - scales: One positive number per channel.
  ///   - stored: Called with each layer and its scaled elements, `[outputs, inputs]`, float32;
  ///     returns the weight that the layer gets.
  /// - Throws: What `stored` throws; the pair is then changed in part.
  package func apply<Failure: Error>(
    _ scales: [Float],
    stored: (Linear, Tensor) throws(Failure) -> any LinearWeight
  ) throws(Failure) {
    require(
      scales.count == scaleCount && scales.allSatisfy { $0 > 0 && $0.isFinite },
      "scaling pair: \(scales.count) scales for \(scaleCount) channels, or one is not positive"
    )
    require(
      linears.allSatisfy { $0.parameter == nil && $0.adapter == nil },
      "scaling pair: \(place) is being trained"
    )
    switch producer {
    case .norm(let norm):
      let weight = norm.weight.converted(to: .float32) / Tensor(scales)
      norm.setWeight(weight.converted(to: norm.weight.dtype))
    case .linear(let linear):
      let rows = Tensor(scales, shape: [scaleCount, 1])
      linear.weight = try stored(linear, linear.weight.dense / rows)
      if let bias = linear.bias {
        let divided = bias.converted(to: .float32) / Tensor(scales)
        linear.setBias(divided.converted(to: bias.dtype))
      }
    }
    let columns = Tensor(columnScales(scales))
    for linear in consumers {
      linear.weight = try stored(linear, linear.weight.dense * columns)
    }
  }
}

extension LanguageModel {
  /// The places of a block where scales can move, in the order of execution.
  public func scalingPairs(ofBlock index: Int) -> [ScalingPair] {
    let block = blocks[index]
    let (attention, feedForward) = (block.attention, block.feedForward)
    let (size, heads) = (configuration.headSize, configuration.queryHeads)
    let shared = heads / configuration.keyHeads
    return [
      ScalingPair(
        .attentionInput,
        producer: .norm(block.attentionNorm),
        consumers: [attention.query, attention.key, attention.value]
      ),
      ScalingPair(
        .attentionOutput,
        producer: .linear(attention.value),
        consumers: [attention.output],
        scaleOfColumn: (0..<heads * size).map { $0 / (shared * size) * size + $0 % size }
      ),
      ScalingPair(
        .feedForwardInput,
        producer: .norm(block.feedForwardNorm),
        consumers: [feedForward.gate, feedForward.up]
      ),
      ScalingPair(
        .feedForwardOutput,
        producer: .linear(feedForward.up),
        consumers: [feedForward.down]
      ),
    ]
  }
}
