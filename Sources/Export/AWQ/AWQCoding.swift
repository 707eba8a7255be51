internal import Checkpoints
internal import Models
internal import Pipeline
internal import Tensor

/// How AutoAWQ's folders store matrices.
///
/// With `K` inputs, `N` outputs and `G` groups: `qweight` `[K, N/8]`, `qzeros` `[G, N/8]`, `scales`
/// `[G, N]`.
struct AWQCoding: MatrixCoding {
  let name = "AWQ"
  /// What most matrices are.
  let usual: GroupFormat?
  let plainType: DType?
  let conversion: ScaleConversion

  func problem(_ part: ModelPromise.Part, _ groups: GroupFormat) -> StageProblem? {
    if groups.zero == .offset {
      return StageProblem(
        "AWQ has zero points, not offsets; quantize with `zero: integer` or `symmetric`"
      )
    }
    guard groups.bits == 4 else {
      return StageProblem("AWQ has codes of 4 bits; use `export.gptq` for 2, 3 and 8")
    }
    guard groups.groupSize == usual?.groupSize else {
      let size = usual?.groupSize.map { "groups of \($0)" } ?? "one group a row"
      return StageProblem(
        "AWQ has one group size for all matrices, and most have \(size); use `export.gptq`"
      )
    }
    guard part.shape.rows % 8 == 0 else {
      return StageProblem("AWQ packs 8 rows into words, which \(part.shape.rows) rows do not fill")
    }
    if let size = groups.groupSize, part.shape.columns % size != 0 {
      return StageProblem("\(part.shape.columns) columns do not divide into groups of \(size)")
    }
    return conversion.problem(groups, to: groups.zero)
  }

  func problems(_ promise: ModelPromise) -> [StageProblem] { promise.vocabularyProblems(name) }

  func notes(_ promise: ModelPromise) -> [String] { promise.activationNotes(name) }

  func byteCount(_ part: ModelPromise.Part, _ groups: GroupFormat) -> Int {
    let (rows, columns) = (part.shape.rows, part.shape.columns)
    return columns * rows / 2 + groups.groupCount(columns: columns) * (rows / 2 + 2 * rows)
  }

  /// Every group has a zero point.
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
    let (rows, columns, name) = (linear.rows, linear.columns, linear.name)
    let count = groups.groupCount(columns: columns)
    let target = stored(groups, columns: columns)
    return [
      ExportedTensor("\(name).qweight", .int32, [columns, rows / 8], of: linear) {
        $0.codes.unpackedCodes(bits: 4, columns: columns).transposedMatrix().interleavedCodes()
      },
      ExportedTensor("\(name).qzeros", .int32, [count, rows / 8], of: linear) { weight in
        let middle = [UInt8](repeating: 8, count: weight.zeroPoints == nil ? count * rows : 0)
        let zeros = weight.zeroPoints?.transposedMatrix() ?? Tensor(middle, shape: [count, rows])
        guard zeros.elements(as: UInt8.self).allSatisfy({ $0 <= 15 }) else {
          throw ExportError(
            .unsupported,
            "a zero point is outside the 16 codes",
            at: name,
            remedy: "quantize again with `zero: integer`"
          )
        }
        return zeros.interleavedCodes()
      },
      ExportedTensor("\(name).scales", .float16, [count, rows], of: linear) {
        try conversion.convert($0, to: target, name: name, meter: meter).scales.transposedMatrix()
      },
    ]
  }

  func configure(
    _ configuration: inout JSONValue,
    _ model: LanguageModel
  ) -> [String: JSONValue] {
    let plain = model.linears.filter { !$0.format.isGrouped }.map { JSONValue.string($0.name) }
    let exceptions = plain.isEmpty ? [] : plain + [.string("lm_head")]
    configuration["quantization_config"] = .object([
      "quant_method": .string("awq"), "version": .string("gemm"), "bits": .integer(4),
      "group_size": .integer(usual?.groupSize ?? -1), "zero_point": .bool(true),
      "modules_to_not_convert": exceptions.isEmpty ? .null : .array(exceptions),
    ])
    return [:]
  }
}
