internal import Checkpoints
internal import Models
internal import Pipeline
internal import Tensor

/// How compressed-tensors folders store matrices.
struct CompressedTensorsCoding: MatrixCoding {
  let name = "compressed-tensors"
  /// The layout of all matrices; nil to choose by how inputs are quantized.
  let chosenLayout: CompressedLayout?
  let plainType: DType?
  /// Whether codes of which many stand for zero are stored as places and the others.
  let sparse: SparseCodeStorage
  /// The matrices that are stored so, by name; found when a model is written.
  let sparseMatrices: [String: SparseCodesExport]

  /// How a matrix's codes are stored.
  func layout(_ activation: ActivationQuantization.Kind?) -> CompressedLayout {
    chosenLayout ?? (activation == nil ? .packQuantized : .intQuantized)
  }

  func problem(_ part: ModelPromise.Part, _ groups: GroupFormat) -> StageProblem? {
    let layout = layout(part.activation)
    if part.activation != nil, layout == .packQuantized {
      return StageProblem(
        "its inputs are quantized, which readers expect of `int-quantized` only; leave `layout` out",
        option: "layout"
      )
    }
    return layout.objection(to: groups).map { StageProblem($0, option: "layout") }
  }

  func problems(_ promise: ModelPromise) -> [StageProblem] {
    var problems = promise.parts.filter { $0.activation != nil && !$0.format.isGrouped }.map {
      StageProblem(
        "`\($0.name)` has quantized inputs and a plain weight, which compressed-tensors has no "
          + "format for; quantize the weight to 8 bits per channel"
      )
    }.firstOfEachMessage
    // transformers shares the plain weight of a tied embedding, which a quantized one lacks.
    if promise.configuration.tiesEmbeddings,
      promise["model.embed_tokens"]?.format.isGrouped == true
    {
      problems.append(
        StageProblem(
          "`model.embed_tokens` is quantized and is the head as well, which transformers cannot "
            + "open in this format; leave it unquantized, or use `export.gguf`"
        )
      )
    }
    return problems
  }

  /// What readers are known not to open.
  func notes(_ promise: ModelPromise) -> [String] {
    let formats = Set(promise.groupFormats)
    var notes: [String] = []
    if formats.contains(where: { $0.zero == .integer }) {
      notes.append(
        formats.count == 1
          ? "transformers 5.23 opens folders with zero points only when told to dequantize"
          : "transformers 5.23 does not open folders with zero points and more than one grid"
      )
    }
    let crossing = Set(formats.filter(\.crossesWords).map(\.bits)).sorted().map(String.init)
    if !crossing.isEmpty {
      notes.append(
        "codes of \(Wording.list(crossing, "and")) bits are packed across words, which "
          + "compressed-tensors reads from version 0.18 on"
      )
    }
    if formats.contains(where: { $0.scaleType != .float32 }) {
      notes.append("transformers widens weights in the type of their scales, and rounds them to it")
    }
    guard sparse != .none else { return notes }
    let parts = promise.matrices.filter { part in
      if case .groups(let groups) = part.format { savedByteCount(part, groups) > 0 } else { false }
    }
    notes.append(
      parts.isEmpty
        ? "no stage has promised zeros; matrices that have enough are stored sparsely all the same"
        : "\(Wording.count(parts.count, "matrix is", "matrices are")) stored as places and codes "
          + "other than zero"
    )
    notes.append(
      "with matrices stored sparsely, slm-compress alone reads the folder: no other program knows "
        + "the format `\(SparseCodes.formatName)`"
    )
    return notes
  }

  func byteCount(_ part: ModelPromise.Part, _ groups: GroupFormat) -> Int {
    layout(part.activation).byteCount(groups, rows: part.shape.rows, columns: part.shape.columns)
      - savedByteCount(part, groups) + (part.activation == .staticPerTensor ? 4 : 0)
  }

  /// By how much a matrix with the promised zeros is smaller when it is stored sparsely, in bytes.
  private func savedByteCount(_ part: ModelPromise.Part, _ groups: GroupFormat) -> Int {
    guard sparse != .none, part.sparsity > 0, groups.zero != .offset else { return 0 }
    let zeros = Int((part.sparsity * Double(part.shape.count)).rounded())
    var counts = [SparseCodes.Places.bitmask: part.shape.count - zeros]
    if part.zeroPattern == ModelPromise.ZeroPattern(zeros: 2, groupSize: 4) {
      counts[.pairs] = part.shape.count / 2
    }
    let (rows, columns) = (part.shape.rows, part.shape.columns)
    let least = SparseCodesExport.smallest(groups, rows: rows, columns: columns, counts)
    let dense = layout(part.activation).byteCount(groups, rows: rows, columns: columns)
    return max(0, dense - (least?.byteCount ?? dense))
  }

  func tensors(
    _ linear: Linear,
    _ groups: GroupFormat,
    _ meter: ErrorMeter?
  ) -> [ExportedTensor] {
    var tensors =
      sparseMatrices[linear.name]?.tensors
      ?? layout(linear.activation?.kind).tensors(linear, groups)
    if let scale = linear.activation?.scale {
      tensors.append(ExportedTensor("\(linear.name).input_scale", Tensor([scale], shape: [1])))
    }
    return tensors
  }

  func configure(
    _ configuration: inout JSONValue,
    _ model: LanguageModel
  ) -> [String: JSONValue] {
    configuration["quantization_config"] = quantizationConfiguration(model)
    return [:]
  }
}

extension GroupFormat {
  /// Whether codes lie across the borders of 32-bit words where they are packed without a gap.
  var crossesWords: Bool { !32.isMultiple(of: bits) }
}
