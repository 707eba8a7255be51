public import Models
public import Tensor

/// What is known about a model before anything runs: its configuration and the name, shape and
/// format of every part.
///
/// Read from headers only, and handed from stage to stage by checks and plans.
public struct ModelPromise: Sendable {
  /// Zeros in every group of neighbours in a row, such as 2 of 4.
  public struct ZeroPattern: Sendable, Hashable {
    /// How many numbers of a group are zero.
    public let zeros: Int
    /// How many numbers a group has.
    public let groupSize: Int

    /// Creates a pattern.
    public init(zeros: Int, groupSize: Int) {
      self.zeros = zeros
      self.groupSize = groupSize
    }
  }

  /// The most bytes that a file of the model will have, as long as certain parts may still be in
  /// one of ``Part/possibleFormats``.
  public struct Budget: Sendable, Hashable {
    /// The size of the file.
    public let byteCount: Int
    /// The names of the parts whose formats are chosen.
    public let parts: Set<String>

    /// Creates a budget.
    public init(byteCount: Int, parts: Set<String>) {
      self.byteCount = byteCount
      self.parts = parts
    }
  }

  /// A part of the model that holds numbers.
  public struct Part: Sendable, Hashable {
    /// The name, such as `model.layers.0.self_attn.q_proj`.
    public let name: String
    /// The extents; a linear layer's are `[outputs, inputs]`.
    public var shape: Shape
    /// How the numbers are stored.
    ///
    /// Another format makes ``quantizer`` nil and ``possibleFormats`` empty.
    public var format: WeightFormat {
      didSet {
        quantizer = nil
        possibleFormats = []
      }
    }
    /// Whether it is a weight matrix: a linear layer of a block, the embedding or the head.
    public let isLinear: Bool
    /// Whether the part has a bias, which is not among its numbers.
    public let hasBias: Bool
    /// How the inputs of a matrix are quantized; nil if they are not.
    public var activation: ActivationQuantization.Kind?
    /// The fraction of zeros that stages have promised; the mean over several parts where only that
    /// is known before it is measured which part gets more.
    public var sparsity = 0.0
    /// Where the zeros lie, if they follow a pattern.
    public var zeroPattern: ZeroPattern?
    /// The stage of the recipe that has quantized the matrix, such as `quantize.gptq`; nil if none
    /// has, or if it became plain numbers again.
    public private(set) var quantizer: String?
    /// What the matrix may be stored as if ``format`` is not certain until the stages before have
    /// run; empty if it is.
    public private(set) var possibleFormats: [WeightFormat] = []

    /// Creates a part.
    public init(
      name: String,
      shape: Shape,
      format: WeightFormat,
      isLinear: Bool,
      hasBias: Bool = false,
      activation: ActivationQuantization.Kind? = nil
    ) {
      self.name = name
      self.shape = shape
      self.format = format
      self.isLinear = isLinear
      self.hasBias = hasBias
      self.activation = activation
    }

    /// The formats that must be reckoned with: ``possibleFormats``, or the one.
    public var expectedFormats: [WeightFormat] {
      possibleFormats.isEmpty ? [format] : possibleFormats
    }

    /// Promises that a stage quantizes the matrix.
    ///
    /// - Parameters:
    ///   - format: The format, of several the one with the largest matrices.
    ///   - stage: The stage's kind.
    ///   - candidates: The formats of which the stage chooses one when it runs, the one with the
    ///     smallest matrices first; none or one if it is known which.
    public mutating func quantize(
      to format: WeightFormat,
      by stage: String,
      candidates: [WeightFormat] = []
    ) {
      self.format = format
      quantizer = stage
      possibleFormats = candidates.count > 1 ? candidates : []
    }

    /// Takes over from another part what stages have promised of its format.
    mutating func takeFormat(of other: Part) {
      format = other.format
      quantizer = other.quantizer
      possibleFormats = other.possibleFormats
    }

    /// The size in bytes, scales included and a bias not counted.
    public var byteCount: Int { format.byteCount(rows: shape.rows, columns: shape.columns) }
  }

  /// The model's sizes and options.
  public var configuration: ModelConfiguration
  /// The parts in the model's order.
  public var parts: [Part]
  /// What a stage keeps to that chooses formats when it runs; nil if none does.
  public var budget: Budget?

  /// Creates a promise.
  public init(configuration: ModelConfiguration, parts: [Part]) {
    self.configuration = configuration
    self.parts = parts
  }

  /// Creates the promise that a model's files make.
  public init(_ outline: ModelOutline) {
    self.init(
      configuration: outline.configuration,
      parts: outline.parts.map {
        Part(
          name: $0.name,
          shape: $0.shape,
          format: $0.format,
          isLinear: $0.isLinear,
          hasBias: $0.hasBias,
          activation: $0.activation
        )
      }
    )
  }

  /// The linear layers of all blocks; embedding and head not included.
  public var linears: [Part] { matrices.filter { $0.name.hasPrefix("model.layers.") } }

  /// Every weight matrix: the embedding, the blocks' layers, the head if it is its own.
  public var matrices: [Part] { parts.filter(\.isLinear) }

  /// The size of all parts in bytes, those whose format is chosen later in the largest.
  public var byteCount: Int { parts.reduce(0) { $0 + $1.byteCount } }

  /// The most bytes that a file will have in which the formats stay that a stage chooses; nil if
  /// none keeps to a size, or if a later one has given its matrices other formats.
  public var fileByteCountAtMost: Int? {
    guard let budget else { return nil }
    let open = parts.count { !$0.possibleFormats.isEmpty && budget.parts.contains($0.name) }
    return open == budget.parts.count ? budget.byteCount : nil
  }

  /// The promise with every format that is chosen later at its smallest.
  public var smallest: ModelPromise {
    var result = self
    for (index, part) in parts.enumerated() {
      if let least = part.possibleFormats.first { result.parts[index].format = least }
    }
    return result
  }

  /// The number of numbers.
  public var parameterCount: Int { parts.reduce(0) { $0 + $1.shape.count } }

  /// Bits stored per number, scales included.
  public var bitsPerWeight: Double {
    parameterCount == 0 ? 0 : Double(byteCount) * 8 / Double(parameterCount)
  }

  /// About the most memory that is resident while the model is read piece by piece, in bytes:
  /// 64 MB for the program and a vocabulary, the model's files, and what is made of them.
  ///
  /// Files are mapped: their pages count as long as nothing else needs the memory.
  public func peakByteCount(making made: Int) -> Int { 64_000_000 + byteCount + made }

  /// The largest sum of some number over the parts of a block, or over those outside the blocks.
  public func largestSection(_ size: (Part) -> Int) -> Int {
    var sums: [Substring: Int] = [:]
    for part in parts {
      let block = part.name.prefixMatch(of: /model\.layers\.[0-9]+/)?.0 ?? ""
      sums[block, default: 0] += size(part)
    }
    return sums.values.max() ?? 0
  }

  /// The part of a name, or nil.
  public subscript(name: String) -> Part? { parts.first { $0.name == name } }

  /// Changes every part whose name is among some.
  public mutating func update(_ names: Set<String>, _ change: (inout Part) -> Void) {
    for index in parts.indices where names.contains(parts[index].name) { change(&parts[index]) }
  }
}
