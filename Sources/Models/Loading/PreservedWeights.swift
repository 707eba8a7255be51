internal import Checkpoints
internal import Tensor

/// Weights of every representation, saved part by part as they are in memory.
///
/// The form in which a pipeline hands a model from stage to stage: nothing is converted. Other
/// programs do not read it; exports are for them. `quantization_config` in config.json lists each
/// weight that is not plain:
///
///     {"quant_method": "slm-compress", "version": 1, "weights": {
///       "model.layers.0.mlp.up_proj": {"format": "groups", "bits": 4, "group_size": 32,
///                                      "zero": "symmetric"},
///       "model.layers.1.mlp.up_proj": {"format": "blocks", "type": "Q4_1"},
///       "model.layers.2.mlp.up_proj": {"format": "elements", "inputs": "static_per_tensor"}}}
///
/// `inputs` stands where the inputs of a layer are quantized; a static scale is the tensor
/// `input_scale`, one float32.
struct PreservedWeights: QuantizedReader {
  static let method = "slm-compress"
  static let version = 1
  /// The largest group believed: larger ones are damage, and sums with it stay exact.
  private static let groupSizeLimit = 1 << 30

  private let weights: [String: JSONValue]
  private let file: String

  init(_ section: JSONValue, file: String) throws(ModelError) {
    guard section["version"]?.integer == Self.version,
      case .object(let weights)? = section["weights"]
    else {
      throw ModelError(
        .unsupported,
        "the checkpoint was written by another version",
        at: "\(file): quantization_config",
        remedy: "run the recipe again from its start"
      )
    }
    self.weights = weights
    self.file = file
  }

  /// Describes a layer's weight and inputs for config.json; nil if they need no description.
  static func description(
    of format: WeightFormat,
    _ activation: ActivationQuantization?
  ) -> JSONValue? {
    var description: [String: JSONValue]
    switch format {
    case .elements:
      guard activation != nil else { return nil }
      description = ["format": .string("elements")]
    case .blocks(let format):
      description = ["format": .string("blocks"), "type": .string(format.name)]
    case .groups(let format):
      description = [
        "format": .string("groups"), "bits": .integer(format.bits),
        "group_size": format.groupSize.map { .integer($0) } ?? .null,
        "zero": .string(format.zero.rawValue),
      ]
    }
    if let activation { description["inputs"] = .string(activation.kind.rawValue) }
    return .object(description)
  }

  func contains(_ module: String, _ tensors: any TensorSource) -> Bool { weights[module] != nil }

  func matrix(
    _ module: String,
    rows: Int,
    columns: Int,
    in source: FolderWeights
  ) throws -> StoredWeight {
    let description = weights[module] ?? .null
    var stored =
      switch description["format"]?.string {
      case "elements": try source.plainMatrix(module, rows: rows, columns: columns)
      case "blocks": try blocks(module, rows, columns, description, source)
      case "groups": try groups(module, rows, columns, description, source)
      default: throw invalid(module)
      }
    stored.activation = try activation(module, description["inputs"] ?? .null, source)
    return stored
  }

  private func activation(
    _ module: String,
    _ value: JSONValue,
    _ source: FolderWeights
  ) throws -> ActivationQuantization? {
    if value.isNull { return nil }
    switch value.string.flatMap(ActivationQuantization.Kind.init(rawValue:)) {
    case .dynamicPerToken: return .dynamicPerToken
    case .staticPerTensor: return .staticPerTensor(scale: try source.inputScale(module))
    case nil: throw invalid(module)
    }
  }

  private func blocks(
    _ module: String,
    _ rows: Int,
    _ columns: Int,
    _ description: JSONValue,
    _ source: FolderWeights
  ) throws -> StoredWeight {
    guard
      let format = BlockFormat.allCases.first(where: { $0.name == description["type"]?.string }),
      columns % format.blockLength == 0
    else { throw invalid(module) }
    let bytes = columns / format.blockLength * format.blockByteCount
    let blocks = try part(module, "weight_blocks", [rows, bytes], [.uint8], source)
    return StoredWeight(BlockQuantizedWeight(blocks: blocks, format: format, columns: columns))
  }

  private func groups(
    _ module: String,
    _ rows: Int,
    _ columns: Int,
    _ description: JSONValue,
    _ source: FolderWeights
  ) throws -> StoredWeight {
    guard let bits = description["bits"]?.integer, (2...8).contains(bits),
      let zero = description["zero"]?.string.flatMap(GroupFormat.Zero.init(rawValue:)),
      (1...Self.groupSizeLimit).contains(description["group_size"]?.integer ?? 1)
    else { throw invalid(module) }
    var format = GroupFormat(
      bits: bits,
      groupSize: description["group_size"]?.integer,
      zero: zero,
      scaleType: .float32
    )
    let perGroup: Shape = [rows, format.groupCount(columns: columns)]
    let floats: [DType] = [.float32, .float16, .bfloat16]
    let codes = try part(
      module,
      "weight_codes",
      [rows, format.codeByteCount(columns: columns)],
      [.uint8],
      source
    )
    let scales = try part(module, "weight_scale", perGroup, floats, source)
    let zeros =
      zero == .integer ? try part(module, "weight_zero_point", perGroup, [.uint8], source) : nil
    let offsets =
      zero == .offset ? try part(module, "weight_offset", perGroup, [scales.dtype], source) : nil
    format.scaleType = scales.dtype
    return StoredWeight(
      GroupQuantizedWeight(
        codes: codes,
        scales: scales,
        zeroPoints: zeros,
        offsets: offsets,
        format: format,
        columns: columns
      )
    )
  }

  private func part(
    _ module: String,
    _ suffix: String,
    _ shape: Shape,
    _ types: [DType],
    _ source: FolderWeights
  ) throws -> Tensor {
    let name = "\(module).\(suffix)"
    let tensor = try source.tensor(name, shape: shape)
    guard types.contains(tensor.dtype) else {
      throw unsupportedType(tensor.dtype.rawValue, name, in: file)
    }
    return tensor
  }

  private func invalid(_ module: String) -> ModelError {
    ModelError(
      .invalid,
      "the description of the weight is damaged",
      at: "\(file): quantization_config.weights.\(module)",
      remedy: "run the recipe again from its start"
    )
  }
}
