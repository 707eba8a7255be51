internal import Checkpoints
internal import Tensor

/// Reads weights in the format of AutoGPTQ and GPTQModel, of 2, 3, 4 or 8 bits.
///
/// With `K` inputs, `N` outputs, `b` bits and `G` groups a layer has `qweight` `[K·b/32, N]`,
/// `qzeros` `[G, N·b/32]`, `scales` `[G, N]` and perhaps `g_idx` `[K]`. Bits and groups of each
/// layer follow from these shapes, so that layers may differ whatever expressions in `dynamic`
/// choose them. The first version stores zero points less 1, wrapping around.
struct GPTQReader: QuantizedReader {
  private let file: String
  /// Whether zero points are stored less 1.
  private let isFirstVersion: Bool
  /// Whether some layers are called symmetric.
  private let isSymmetric: Bool
  /// The widths and group sizes that the configuration names.
  private let widths: Set<Int>
  private let groupSizes: Set<Int>

  init(_ section: JSONValue, file: String) throws(ModelError) {
    self.file = file
    let version = (section["checkpoint_format"] ?? section["format"])?.string ?? "gptq"
    guard ["gptq", "gptq_v2"].contains(version) else {
      throw Self.unsupported(
        "the GPTQ format “\(version)”",
        "\(file): quantization_config.checkpoint_format"
      )
    }
    let words = section["pack_dtype"]?.string ?? "int32"
    guard words == "int32" else {
      throw Self.unsupported(
        "codes in words of \(words)",
        "\(file): quantization_config.pack_dtype"
      )
    }
    isFirstVersion = version == "gptq"
    guard let bits = section["bits"]?.integer else {
      throw ModelError(
        .invalid,
        "the number of bits is missing",
        at: "\(file): quantization_config.bits",
        remedy: "fetch config.json again"
      )
    }
    var sections = [section]
    if case .object(let rules)? = section["dynamic"] { sections += rules.values }
    widths = Set(sections.compactMap { $0["bits"]?.integer } + [bits])
    isSymmetric = section["sym"] == nil || sections.contains { $0["sym"]?.bool == true }
    groupSizes = Set(sections.compactMap { $0["group_size"]?.integer })
  }

  func contains(_ module: String, _ tensors: any TensorSource) -> Bool {
    tensors.entry("\(module).qweight") != nil
  }

  func matrix(
    _ module: String,
    rows: Int,
    columns: Int,
    in source: FolderWeights
  ) throws -> StoredWeight {
    var format = try format(module, rows, columns, source)
    let (bits, groups) = (format.bits, format.groupCount(columns: columns))
    let words = try source.tensor("\(module).qweight", shape: [columns * bits / 32, rows])
    let packed = try source.tensor("\(module).qzeros", shape: [groups, rows * bits / 32])
    let scales = try source.tensor("\(module).scales", shape: [groups, rows])
    for (tensor, suffix) in [(words, "qweight"), (packed, "qzeros")]
    where tensor.dtype != .int32 {
      throw unsupportedType(tensor.dtype.rawValue, "\(module).\(suffix)", in: file)
    }
    guard [.float32, .float16, .bfloat16].contains(scales.dtype) else {
      throw unsupportedType(scales.dtype.rawValue, "\(module).scales", in: file)
    }
    try requireOrder(module, columns, format.groupSize ?? columns, source)
    format.scaleType = scales.dtype
    let shift: UInt8 = isFirstVersion ? 1 : 0
    let largest = UInt8(truncatingIfNeeded: (1 << bits) - 1)
    func zeros() -> [UInt8] {
      packed.unpackedCodes(bits: bits, columns: rows).elements(as: UInt8.self).map {
        ($0 &+ shift) & largest
      }
    }
    // What is called symmetric is so only if every zero point is the middle code.
    if isSymmetric, zeros().allSatisfy({ $0 == 1 << UInt8(bits - 1) }) { format.zero = .symmetric }
    return StoredWeight(rows: rows, columns: columns, format: .groups(format)) { [format] in
      let points = format.zero == .symmetric ? nil : Tensor(zeros(), shape: [groups, rows])
      return GroupQuantizedWeight(
        codes: words.transposedMatrix().viewedAsBytes(),
        scales: scales.transposedMatrix(),
        zeroPoints: points?.transposedMatrix(),
        format: format,
        columns: columns
      )
    }
  }

  /// The bits and groups of a layer, by the shapes of its tensors.
  private func format(
    _ module: String,
    _ rows: Int,
    _ columns: Int,
    _ source: FolderWeights
  ) throws -> GroupFormat {
    let codes = "\(module).qweight"
    guard let words = source.tensors.entry(codes)?.shape,
      let scales = source.tensors.entry("\(module).scales")?.shape
    else { throw missing("\(module).scales", in: file) }
    guard columns % 32 == 0, rows % 32 == 0, words.rank == 2, words[1] == rows,
      let bits = [2, 3, 4, 8].first(where: { columns * $0 == words[0] * 32 }), widths.contains(bits)
    else {
      throw ModelError(
        .inconsistent,
        "a tensor \(words) holds no \(rows) rows of \(columns) codes of "
          + "\(widths.sorted().map(String.init).joined(separator: " or ")) bits",
        at: "\(file): \(codes)",
        remedy: "config.json and weights do not belong together, or the bits are not 2, 3, 4 or 8"
      )
    }
    let count = scales.rank == 2 ? scales[0] : 0
    guard count > 0, columns % count == 0 else {
      throw ModelError(
        .inconsistent,
        "\(columns) columns do not divide into \(count) groups",
        at: "\(file): \(module).scales",
        remedy: "config.json and weights do not belong together"
      )
    }
    // One group of all columns is called by its size where the configuration does so.
    let size = count == 1 && !groupSizes.contains(columns) ? nil : columns / count
    guard groupSizes.isEmpty || groupSizes.contains(size ?? -1) || count == 1 else {
      throw ModelError(
        .inconsistent,
        "the groups have \(columns / count) columns, which the configuration does not name",
        at: "\(file): \(module).scales",
        remedy: "config.json and weights do not belong together"
      )
    }
    return GroupFormat(bits: bits, groupSize: size, zero: .integer, scaleType: .float16)
  }

  /// Checks that neighbouring columns share a group.
  private func requireOrder(
    _ module: String,
    _ columns: Int,
    _ size: Int,
    _ source: FolderWeights
  ) throws {
    let name = "\(module).g_idx"
    guard source.tensors.entry(name) != nil else { return }
    let index = try source.tensor(name, shape: [columns])
    guard index.dtype == .int32 else { throw unsupportedType(index.dtype.rawValue, name, in: file) }
    let groups = index.elements(as: Int32.self)
    guard groups.enumerated().allSatisfy({ Int($1) == $0 / size }) else {
      throw Self.unsupported(
        "groups of columns in the order of their activations (`desc_act`)",
        "\(file): \(name)"
      )
    }
  }

  private static func unsupported(_ feature: String, _ location: String) -> ModelError {
    ModelError(
      .unsupported,
      "\(feature): not supported",
      at: location,
      remedy: "start from the unquantized checkpoint, or from one with `checkpoint_format` gptq or "
        + "gptq_v2 that was quantized with `desc_act: false` or `static_groups: true`"
    )
  }
}
