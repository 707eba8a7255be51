internal import Checkpoints
internal import Tensor

/// Reads weights in the format of the compressed-tensors library: `pack-quantized` with 2 to 8
/// bits, `int-quantized` with 8, and plain weights as `sparse-bitmask`; and our own format
/// `sparse-pack-quantized`, codes of which many stand for zero.
///
/// Codes there are signed; adding half their range gives ours. Packed codes are the same bits as
/// ours and stay mapped.
struct CompressedTensorsReader: QuantizedReader {
  /// One entry of `config_groups`.
  struct Group {
    /// Names of modules and of classes.
    let names: Set<String>
    /// Patterns of names of modules.
    let patterns: [ModulePattern]
    let bits: Int
    let groupSize: Int?
    let isSymmetric: Bool
    /// How inputs are quantized; nil if they are not.
    let activation: ActivationQuantization.Kind?

    /// How specifically the group claims a module, the least number most so; nil if not at all.
    func rank(of module: String) -> Int? {
      if names.contains(module) { return 0 }
      if patterns.contains(where: { $0.matches(module) }) { return 1 }
      return names.contains("Linear") ? 2 : nil
    }
  }

  let groups: [Group]
  let file: String

  init(_ section: JSONValue, file: String) throws(ModelError) {
    self.file = file
    try Self.requirePlainWeights(section, file)
    let isSparse = section["sparsity_config"]?["format"]?.string == "sparse-bitmask"
    guard case .object(let members)? = section["config_groups"] ?? (isSparse ? .object([:]) : nil)
    else {
      throw Self.invalid("config_groups", file)
    }
    var groups: [Group] = []
    for (name, value) in members.sorted(by: { $0.key < $1.key }) {
      groups.append(try Self.group(value, at: "config_groups.\(name)", file))
    }
    self.groups = groups
  }

  func contains(_ module: String, _ tensors: any TensorSource) -> Bool {
    tensors.entry("\(module).weight_scale") != nil || FolderWeights.isBitmasked(module, tensors)
  }

  func matrix(
    _ module: String,
    rows: Int,
    columns: Int,
    in source: FolderWeights
  ) throws -> StoredWeight {
    if FolderWeights.isBitmasked(module, source.tensors) {
      guard source.tensors.entry("\(module).weight_scale") == nil else {
        throw Self.unsupported("sparse codes", "\(file): \(module)")
      }
      return try source.bitmaskedMatrix(module, rows: rows, columns: columns)
    }
    guard let group = group(claiming: module) else {
      throw ModelError(
        .inconsistent,
        "the weight has scales, but no group of config_groups claims it",
        at: "\(file): \(module)",
        remedy: "config.json and weights do not belong together"
      )
    }
    guard source.tensors.entry("\(module).weight_g_idx") == nil else {
      throw Self.unsupported(
        "groups of columns in another order",
        "\(file): \(module).weight_g_idx"
      )
    }
    let isSparse = FolderWeights.hasSparseCodes(module, source.tensors)
    var format = GroupFormat(
      bits: group.bits,
      groupSize: group.groupSize,
      zero: group.isSymmetric ? .symmetric : .integer,
      scaleType: .float32
    )
    try requireDivisible(columns, format, module)
    let scaleShape: Shape = [rows, format.groupCount(columns: columns)]
    let scales = try source.tensor("\(module).weight_scale", shape: scaleShape)
    guard [.float32, .float16, .bfloat16].contains(scales.dtype) else {
      throw unsupportedType(scales.dtype.rawValue, "\(module).weight_scale", in: file)
    }
    format.scaleType = scales.dtype
    let isPacked = isSparse || source.tensors.entry("\(module).weight_packed") != nil
    let zeros =
      group.isSymmetric
      ? nil : try zeroPoints(module, isPacked: isPacked, shape: scaleShape, group, source)
    let codes: (_ zeroPoints: Tensor?) -> Tensor
    if isSparse {
      let sparse = try source.sparseCodes(module, rows: rows, columns: columns, bits: group.bits)
      codes = { [format] in sparse.codes(format, columns: columns, zeroPoints: $0) }
    } else {
      codes = try denseCodes(module, [rows, columns], isPacked: isPacked, format, source)
    }
    let activation: ActivationQuantization? =
      switch group.activation {
      case .dynamicPerToken: .dynamicPerToken
      case .staticPerTensor: .staticPerTensor(scale: try source.inputScale(module))
      case nil: nil
      }
    return StoredWeight(
      rows: rows,
      columns: columns,
      format: .groups(format),
      activation: activation
    ) { [format] in
      let zeroPoints = zeros.map {
        isPacked ? Self.unpacked($0, group.bits, scaleShape) : Self.unsigned($0)
      }
      return GroupQuantizedWeight(
        codes: codes(zeroPoints),
        scales: scales,
        zeroPoints: zeroPoints,
        format: format,
        columns: columns
      )
    }
  }

  /// How the codes are made that are stored one for each weight.
  private func denseCodes(
    _ module: String,
    _ shape: Shape,
    isPacked: Bool,
    _ format: GroupFormat,
    _ source: FolderWeights
  ) throws -> (_ zeroPoints: Tensor?) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    let words = (columns * format.bits + 31) / 32
    let codes =
      isPacked
      ? try source.tensor("\(module).weight_packed", shape: [rows, words])
      : try source.tensor("\(module).weight", shape: [rows, columns])
    let expected: DType = isPacked ? .int32 : .int8
    guard codes.dtype == expected, isPacked || format.bits == 8 else {
      throw unsupportedType(codes.dtype.rawValue, module, in: file)
    }
    return { _ in
      isPacked
        ? codes.viewedAsBytes().firstBytes(format.codeByteCount(columns: columns))
        : Self.unsigned(codes)
    }
  }

  /// The group that claims a module most specifically.
  func group(claiming module: String) -> Group? {
    let claims = groups.compactMap { group in group.rank(of: module).map { (rank: $0, group) } }
    return claims.min { $0.rank < $1.rank }?.1
  }

  private func zeroPoints(
    _ module: String,
    isPacked: Bool,
    shape: Shape,
    _ group: Group,
    _ source: FolderWeights
  ) throws -> Tensor {
    let name = "\(module).weight_zero_point"
    let packedShape: Shape = [(shape[0] * group.bits + 31) / 32, shape[1]]
    let tensor = try source.tensor(name, shape: isPacked ? packedShape : shape)
    guard tensor.dtype == (isPacked ? .int32 : .int8) else {
      throw unsupportedType(tensor.dtype.rawValue, name, in: file)
    }
    return tensor
  }

  private func requireDivisible(
    _ columns: Int,
    _ format: GroupFormat,
    _ module: String
  ) throws(ModelError) {
    guard let size = format.groupSize, columns % size != 0 else { return }
    throw ModelError(
      .inconsistent,
      "\(columns) columns do not divide into groups of \(size)",
      at: "\(file): \(module)",
      remedy: "config.json and weights do not belong together"
    )
  }
}

// MARK: - Configuration

extension CompressedTensorsReader {
  private static func group(
    _ value: JSONValue,
    at key: String,
    _ file: String
  ) throws(ModelError) -> Group {
    guard let weights = value["weights"], let bits = weights["num_bits"]?.integer,
      let targets = value["targets"]?.array
    else { throw invalid(key, file) }
    let strategy = weights["strategy"]?.string ?? "group"
    guard weights["type"]?.string ?? "int" == "int", (2...8).contains(bits),
      ["group", "channel"].contains(strategy)
    else {
      throw ModelError(
        .unsupported,
        "\(weights["type"]?.string ?? "int")\(bits) weights by \(strategy) are not supported",
        at: "\(file): quantization_config.\(key)",
        remedy: "supported are int weights of 2 to 8 bits by group or channel"
      )
    }
    guard value["output_activations"] ?? .null == .null else {
      throw unsupported(
        "quantized outputs",
        "\(file): quantization_config.\(key).output_activations"
      )
    }
    let size = weights["group_size"]?.integer
    guard strategy == "channel" || (size ?? 0) > 0 else { throw invalid("\(key).group_size", file) }
    let names = targets.compactMap(\.string)
    return Group(
      names: Set(names),
      patterns: try patterns(names, "\(file): quantization_config.\(key).targets"),
      bits: bits,
      groupSize: strategy == "group" ? size : nil,
      isSymmetric: weights["symmetric"]?.bool ?? true,
      activation: try activation(
        value["input_activations"] ?? .null,
        "\(file): quantization_config.\(key).input_activations"
      )
    )
  }

  /// How inputs are quantized: symmetric signed bytes, with a scale a token or one for all.
  private static func activation(
    _ value: JSONValue,
    _ location: String
  ) throws(ModelError) -> ActivationQuantization.Kind? {
    if value.isNull { return nil }
    // Other than true and false there is `local`, for scales of groups.
    let dynamic = value["dynamic"] ?? .bool(false)
    let isDynamic = dynamic == .bool(true)
    let strategy = value["strategy"]?.string ?? (isDynamic ? "token" : "tensor")
    let isInteger = value["type"]?.string ?? "int" == "int"
    let isSymmetric = value["symmetric"]?.bool ?? true
    if isInteger, isSymmetric, dynamic.bool != nil, value["num_bits"]?.integer ?? 8 == 8 {
      if isDynamic, strategy == "token" { return .dynamicPerToken }
      if !isDynamic, strategy == "tensor" { return .staticPerTensor }
    }
    throw unsupported(
      "inputs that are quantized otherwise than to symmetric int8 by token or tensor",
      location
    )
  }

  private static func patterns(
    _ names: [String],
    _ location: String
  ) throws(ModelError) -> [ModulePattern] {
    var patterns: [ModulePattern] = []
    for name in names where name.hasPrefix("re:") {
      guard let pattern = ModulePattern(String(name.dropFirst(3))) else {
        throw unsupported("the pattern “\(name)”", location)
      }
      patterns.append(pattern)
    }
    return patterns
  }

  /// Checks that weights are what codes and scales say: not transformed, nor sparse in an unknown form.
  private static func requirePlainWeights(
    _ section: JSONValue,
    _ file: String
  ) throws(ModelError) {
    func isPlain(_ key: String) -> Bool { [nil, .null, .object([:])].contains(section[key]) }
    guard isPlain("transform_config") else {
      throw unsupported("transformed weights", "\(file): quantization_config.transform_config")
    }
    let format = section["sparsity_config"]?["format"]?.string
    guard isPlain("sparsity_config") || ["dense", "sparse-bitmask"].contains(format) else {
      throw unsupported("sparse weights", "\(file): quantization_config.sparsity_config")
    }
  }

  private static func unsupported(_ feature: String, _ location: String) -> ModelError {
    ModelError(
      .unsupported,
      "\(feature): not supported",
      at: location,
      remedy: "start from the unquantized checkpoint, or from one quantized without it"
    )
  }

  private static func invalid(_ key: String, _ file: String) -> ModelError {
    ModelError(
      .invalid,
      "the section is not as compressed-tensors writes it",
      at: "\(file): quantization_config.\(key)",
      remedy: "fetch config.json again"
    )
  }
}

// MARK: - Codes

extension CompressedTensorsReader {
  /// Signed bytes with half their range added.
  private static func unsigned(_ signed: Tensor) -> Tensor {
    Tensor(
      signed.elements(as: Int8.self).map { UInt8(bitPattern: $0) ^ 0x80 },
      shape: signed.shape
    )
  }

  /// Zero points, which are packed along the rows of the matrix, one byte each.
  private static func unpacked(_ packed: Tensor, _ bits: Int, _ shape: Shape) -> Tensor {
    let words = packed.elements(as: Int32.self)
    let groups = shape[1]
    var zeros = [UInt8](repeating: 0, count: shape.count)
    for row in 0..<shape[0] {
      let bit = row * bits
      for group in 0..<groups {
        let low = UInt64(UInt32(bitPattern: words[bit / 32 * groups + group]))
        let next = (bit / 32 + 1) * groups + group
        let high = next < words.count ? UInt64(UInt32(bitPattern: words[next])) : 0
        zeros[row * groups + group] =
          UInt8(truncatingIfNeeded: (low | high << 32) >> UInt64(bit % 32)) & UInt8((1 << bits) - 1)
      }
    }
    return Tensor(zeros, shape: shape)
  }
}
