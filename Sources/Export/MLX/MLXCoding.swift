internal import Checkpoints
internal import Models
internal import Pipeline
internal import Tensor

/// How MLX's folders store matrices, in its mode `affine`.
///
/// With `K` inputs, `N` outputs and `b` bits: `weight` `[N, K·b/32]`, `scales` and `biases` `[N, G]`.
struct MLXCoding: MatrixCoding {
  let name = "MLX"
  let dtype: DType
  let conversion: ScaleConversion

  var plainType: DType? { dtype }

  /// The largest group of MLX's that divides a group.
  private func groupSize(_ groups: GroupFormat, columns: Int) -> Int? {
    MLXFormat.groupSizes.first { (groups.groupSize ?? columns) % $0 == 0 }
  }

  func problem(_ part: ModelPromise.Part, _ groups: GroupFormat) -> StageProblem? {
    guard MLXFormat.widths.contains(groups.bits) else {
      return StageProblem("MLX has codes of 2, 3, 4, 5, 6 or 8 bits")
    }
    guard groupSize(groups, columns: part.shape.columns) != nil else {
      return StageProblem(
        "MLX has groups of 32, 64 or 128, which do not divide groups of "
          + "\(groups.groupSize ?? part.shape.columns)"
      )
    }
    if let size = groups.groupSize, part.shape.columns % size != 0 {
      return StageProblem("\(part.shape.columns) columns do not divide into groups of \(size)")
    }
    return conversion.problem(groups, to: .offset)
  }

  func problems(_ promise: ModelPromise) -> [StageProblem] { [] }

  func notes(_ promise: ModelPromise) -> [String] {
    var notes = promise.activationNotes(name)
    let types = Set(
      promise.parts.compactMap { part -> DType? in
        if case .elements(let type) = part.format { type } else { nil }
      }
    )
    for type in types.sorted(by: { $0.rawValue < $1.rawValue })
    where type.significantBits > dtype.significantBits || type == .bfloat16 && dtype == .float16 {
      notes.append("what is not quantized is rounded from \(type.rawValue) to \(dtype.rawValue)")
    }
    return notes
  }

  func byteCount(_ part: ModelPromise.Part, _ groups: GroupFormat) -> Int {
    let (rows, columns) = (part.shape.rows, part.shape.columns)
    let count = stored(groups, columns: columns).groupCount(columns: columns)
    return rows * (columns * groups.bits / 8 + 2 * count * dtype.byteCount)
  }

  func stored(_ groups: GroupFormat, columns: Int) -> GroupFormat {
    GroupFormat(
      bits: groups.bits,
      groupSize: groupSize(groups, columns: columns),
      zero: .offset,
      scaleType: dtype
    )
  }

  func tensors(
    _ linear: Linear,
    _ groups: GroupFormat,
    _ meter: ErrorMeter?
  ) -> [ExportedTensor] {
    let (rows, columns, name) = (linear.rows, linear.columns, linear.name)
    let target = stored(groups, columns: columns)
    let count = target.groupCount(columns: columns)
    let words = columns * groups.bits / 32
    return [
      ExportedTensor("\(name).biases", dtype, [rows, count], of: linear) {
        let stored = try conversion.convert($0, to: target, name: name, meter: meter)
        return stored.offsets ?? stored.scales
      },
      ExportedTensor("\(name).scales", dtype, [rows, count], of: linear) {
        try conversion.convert($0, to: target, name: name, meter: nil).scales
      },
      ExportedTensor("\(name).weight", .uint32, [rows, words], of: linear) {
        $0.codes.words(words).reinterpreted(as: .uint32)
      },
    ]
  }

  func configure(
    _ configuration: inout JSONValue,
    _ model: LanguageModel
  ) -> [String: JSONValue] {
    func settings(_ linear: Linear) -> MLXSettings? {
      guard case .groups(let groups) = linear.format else { return nil }
      let size = groupSize(groups, columns: linear.columns)
      return size.map { MLXSettings(bits: groups.bits, groupSize: $0) }
    }
    let all = model.matrices.map { (name: $0.name, settings: settings($0)) }
    let usual = all.compactMap(\.settings).mostFrequent ?? MLXSettings(bits: 4, groupSize: 64)
    var section = usual.json
    section["mode"] = .string("affine")
    // Matrices without scales are found to be plain by the lack of them.
    for (name, settings) in all {
      if let settings, settings != usual { section[name] = .object(settings.json) }
    }
    configuration["quantization"] = .object(section)
    configuration["quantization_config"] = .object(section)
    return [:]
  }
}

/// What MLX's configuration says of a matrix.
private struct MLXSettings: Hashable {
  var bits: Int
  var groupSize: Int

  var json: [String: JSONValue] {
    ["bits": .integer(bits), "group_size": .integer(groupSize)]
  }
}
