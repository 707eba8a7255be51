internal import Checkpoints
internal import Models
internal import Pipeline
internal import Tensor

/// How GPTQ's folders store matrices.
///
/// With `K` inputs, `N` outputs, `b` bits and `G` groups: `qweight` `[K·b/32, N]`, `qzeros`
/// `[G, N·b/32]`, `scales` `[G, N]`, `g_idx` `[K]`.
struct GPTQCoding: MatrixCoding {
  let name = "GPTQ"
  let version: GPTQVersion
  /// What most matrices are; the others are named in the configuration.
  let usual: GroupFormat?
  let plainType: DType?
  let conversion: ScaleConversion

  func problem(_ part: ModelPromise.Part, _ groups: GroupFormat) -> StageProblem? {
    if groups.zero == .offset {
      return StageProblem(
        "GPTQ has zero points, not offsets; quantize with `zero: symmetric` or `integer`"
      )
    }
    guard [2, 3, 4, 8].contains(groups.bits) else {
      return StageProblem("GPTQ has codes of 2, 3, 4 or 8 bits")
    }
    for (count, axis) in [(part.shape.rows, "rows"), (part.shape.columns, "columns")]
    where count % 32 != 0 {
      return StageProblem("GPTQ packs 32 codes into words, which \(count) \(axis) do not fill")
    }
    if let size = groups.groupSize, part.shape.columns % size != 0 {
      return StageProblem("\(part.shape.columns) columns do not divide into groups of \(size)")
    }
    return conversion.problem(groups, to: groups.zero)
  }

  func problems(_ promise: ModelPromise) -> [StageProblem] { promise.vocabularyProblems(name) }

  func notes(_ promise: ModelPromise) -> [String] {
    var notes = promise.activationNotes(name)
    let formats = promise.groupFormats
    if version == .first, formats.contains(where: { $0.zero == .integer }) {
      notes.append(
        "`checkpoint_format: gptq` has no room for a zero point of 0; the export stops if there is "
          + "one"
      )
    }
    if formats.contains(where: { $0.zero == .symmetric }) {
      notes.append(
        "symmetric scales may be negative, which GPTQ's arithmetic allows; for kernels that expect "
          + "positive ones quantize with `negative_scales: false`"
      )
    }
    if Set(formats.map(\.readerSettings)).count > 1 {
      notes.append(
        "layers differ in bits or groups, which stands in `dynamic`; GPTQModel and vLLM know it"
      )
    }
    return notes
  }

  func byteCount(_ part: ModelPromise.Part, _ groups: GroupFormat) -> Int {
    let (rows, columns) = (part.shape.rows, part.shape.columns)
    let groupCount = groups.groupCount(columns: columns)
    return columns * groups.bits / 8 * rows + groupCount * rows * groups.bits / 8
      + 2 * groupCount * rows + 4 * columns
  }

  func stored(_ groups: GroupFormat, columns: Int) -> GroupFormat {
    var stored = groups
    stored.scaleType = .float16
    return stored
  }

  func tensors(
    _ linear: Linear,
    _ groups: GroupFormat,
    _ meter: ErrorMeter?
  ) -> [ExportedTensor] {
    let (rows, columns, name, bits) = (linear.rows, linear.columns, linear.name, groups.bits)
    let count = groups.groupCount(columns: columns)
    let target = stored(groups, columns: columns)
    let size = groups.groupSize ?? columns
    return [
      ExportedTensor(
        "\(name).g_idx",
        Tensor((0..<columns).map { Int32($0 / size) }, shape: [columns])
      ),
      ExportedTensor("\(name).qweight", .int32, [columns * bits / 32, rows], of: linear) {
        $0.codes.words(columns * bits / 32).transposedMatrix()
      },
      ExportedTensor("\(name).qzeros", .int32, [count, rows * bits / 32], of: linear) {
        try storedZeros($0, groups: count, name).packedCodes(bits: bits)
      },
      ExportedTensor("\(name).scales", .float16, [count, rows], of: linear) {
        try conversion.convert($0, to: target, name: name, meter: meter).scales.transposedMatrix()
      },
    ]
  }

  /// The zero points as the version stores them, one a byte, `[groups, outputs]`.
  private func storedZeros(
    _ weight: GroupQuantizedWeight,
    groups: Int,
    _ name: String
  ) throws -> Tensor {
    let less: UInt8 = version == .first ? 1 : 0
    guard let zeros = weight.zeroPoints?.transposedMatrix() else {
      let middle = UInt8(1 << (weight.groupFormat.bits - 1))
      let elements = [UInt8](repeating: middle - less, count: groups * weight.rows)
      return Tensor(elements, shape: [groups, weight.rows])
    }
    let elements = zeros.elements(as: UInt8.self)
    let largest = UInt8(truncatingIfNeeded: (1 << weight.groupFormat.bits) - 1)
    guard elements.allSatisfy({ $0 >= less && $0 <= largest }) else {
      throw ExportError(
        .unsupported,
        "a zero point is outside what `\(version.rawValue)` stores, \(less) to \(largest)",
        at: name,
        remedy: "choose `checkpoint_format: gptq_v2`"
      )
    }
    return less == 0 ? zeros : Tensor(elements.map { $0 - less }, shape: zeros.shape)
  }

  func configure(
    _ configuration: inout JSONValue,
    _ model: LanguageModel
  ) -> [String: JSONValue] {
    var section: [String: JSONValue] = [
      "quant_method": .string("gptq"), "checkpoint_format": .string(version.rawValue),
      "bits": .integer(usual?.bits ?? 4), "group_size": .integer(usual?.groupSize ?? -1),
      "sym": .bool(usual?.zero == .symmetric),
      "desc_act": .bool(false), "static_groups": .bool(false), "lm_head": .bool(false),
      "true_sequential": .bool(true), "pack_dtype": .string("int32"),
      "meta": .object(["quantizer": .array([.string("slm-compress:\(ToolVersion.current)")])]),
    ]
    let rules = dynamicRules(model)
    if !rules.isEmpty { section["dynamic"] = .object(rules) }
    configuration["quantization_config"] = .object(section)
    return ["quantize_config.json": .object(section)]
  }

  /// Rules for layers that differ from most, by expressions that match one name each.
  private func dynamicRules(_ model: LanguageModel) -> [String: JSONValue] {
    var rules: [String: JSONValue] = [:]
    for linear in model.linears {
      let pattern = "^\(linear.name.replacing(".", with: "\\."))$"
      guard case .groups(let groups) = linear.format else {
        rules["-:\(pattern)"] = .object([:])
        continue
      }
      if groups.readerSettings != usual?.readerSettings {
        rules["+:\(pattern)"] = .object([
          "bits": .integer(groups.bits), "group_size": .integer(groups.groupSize ?? -1),
          "sym": .bool(groups.zero == .symmetric),
        ])
      }
    }
    return rules
  }
}

extension GroupFormat {
  /// The format with those parts equal in which the configuration of a folder does not differ.
  var readerSettings: GroupFormat {
    var settings = self
    settings.scaleType = .float16
    return settings
  }
}
