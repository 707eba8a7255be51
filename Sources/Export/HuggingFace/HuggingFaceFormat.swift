internal import Checkpoints
public import Foundation
public import Models
public import Pipeline
internal import Tensor

/// The type of plain weights in an export.
public enum ElementType: String, RecipeChoice {
  case float32, bfloat16, float16

  /// What the choice means.
  public var summary: String {
    switch self {
    case .float32: "32 bits; holds every other representation exactly"
    case .bfloat16: "16 bits with the range of `float32`"
    case .float16: "16 bits, more precise than `bfloat16` up to 65504"
    }
  }

  var dtype: DType {
    switch self {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .float16: .float16
    }
  }
}

/// A Hugging Face folder with plain weights: config.json, safetensors files and the tokenizer's.
///
/// Quantized weights are widened; in `float32` they are the same numbers, in the narrower types
/// they are rounded once more, and the largest change is reported.
public struct HuggingFaceFormat: ExportFormat {
  /// The type of every tensor.
  public var type: ElementType
  /// How matrices with many zeros are stored.
  public var sparse: SparseStorage
  /// The most bytes of tensors in one file.
  public var maximumShardByteCount: Int

  /// Creates the format.
  public init(
    type: ElementType,
    sparse: SparseStorage = .none,
    maximumShardByteCount: Int = 5_000_000_000
  ) {
    self.type = type
    self.sparse = sparse
    self.maximumShardByteCount = maximumShardByteCount
  }

  /// Finds what the format cannot hold; quantized weights are no hindrance.
  public func plan(_ promise: ModelPromise) -> ExportPlan {
    var plan = ExportPlan()
    plan.problems = promise.configuration.problemsInFolders
    plan.byteCount = (promise.parameterCount + promise.biasCount) * type.dtype.byteCount
    if sparse == .bitmask {
      plan.isSizeExact = false
      let parts = promise.matrices.filter { savedByteCount($0) > 0 }
      plan.byteCount -= parts.reduce(0) { $0 + savedByteCount($1) }
      plan.notes.append(
        parts.isEmpty
          ? "no stage has promised zeros; matrices of the model that have enough are stored as a "
            + "bitmask and values all the same"
          : "\(Wording.count(parts.count, "matrix is", "matrices are")) stored as a bitmask and "
            + "values"
      )
    }
    let quantized = promise.matrices.filter {
      if case .elements = $0.format { false } else { true }
    }
    if !quantized.isEmpty {
      plan.notes.append(
        "\(Wording.count(quantized.count, "quantized matrix is", "quantized matrices are")) "
          + "widened to \(type.rawValue)"
      )
    }
    plan.notes += promise.activationNotes("a folder of plain weights")
    return plan
  }

  /// Writes the folder.
  public func write(
    _ model: LanguageModel,
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> ExportSummary {
    let meter = ErrorMeter()
    let bitmasked = try bitmasked(model)
    var configuration = model.exportedConfiguration(dtype: type.rawValue)
    if !bitmasked.isEmpty { configuration["quantization_config"] = bitmasked.configuration() }
    var summary = try CheckpointFolderWriter(
      model: model,
      sections: sections(model, bitmasked, meter),
      maximumShardByteCount: maximumShardByteCount
    ).write(configuration, to: url, progress: progress)
    summary.largestError = meter.largest
    return summary
  }

  /// Compares every tensor of the folder with the model.
  public func verify(_ url: URL, against model: LanguageModel) throws {
    let bitmasked = try bitmasked(model)
    try sections(model, bitmasked, nil).verify(try CheckpointFolder(url.path).open(), at: url.path)
    if !bitmasked.isEmpty { _ = try ModelLoader.inspect(url) }
  }

  /// By how much a matrix with the promised zeros is smaller as a bitmask and values, in bytes.
  private func savedByteCount(_ part: ModelPromise.Part) -> Int {
    guard part.sparsity > 0 else { return 0 }
    let (rows, columns) = (part.shape.rows, part.shape.columns)
    let values = part.shape.count - Int((part.sparsity * Double(part.shape.count)).rounded())
    let size = BitmaskedExport.byteCount(
      rows: rows,
      columns: columns,
      valueCount: values,
      type.dtype
    )
    return max(0, part.shape.count * type.dtype.byteCount - size)
  }

  /// The matrices that are stored as a bitmask and values.
  private func bitmasked(_ model: LanguageModel) throws -> [BitmaskedExport] {
    guard sparse == .bitmask else { return [] }
    return try model.matrices.compactMap { try BitmaskedExport($0, type.dtype) }
  }

  private func sections(
    _ model: LanguageModel,
    _ bitmasked: [BitmaskedExport],
    _ meter: ErrorMeter?
  ) -> [ExportedSection] {
    let dtype = type.dtype
    let bitmasked = Dictionary(
      bitmasked.map { ($0.linear.name, $0) },
      uniquingKeysWith: { first, _ in first }
    )
    return model.exportedSections { linear in
      bitmasked[linear.name]?.tensors(meter)
        ?? [ExportedTensor("\(linear.name).weight", linear, as: .elements(dtype), meter: meter)]
    } vector: {
      $0.converted(to: dtype)
    }
  }
}

extension LanguageModel {
  /// The tensors of a folder, section by section in the order in which transformers saves them.
  ///
  /// - Parameters:
  ///   - matrix: The tensors of a matrix.
  ///   - vector: The form in which vectors are stored.
  /// - Returns: A section for every block, and one for what stands around them.
  func exportedSections(
    matrix: @escaping (Linear) -> [ExportedTensor],
    vector: @escaping (Tensor) -> Tensor
  ) -> [ExportedSection] {
    sections.map { section in
      var tensors: [ExportedTensor] = []
      for linear in section.matrices {
        tensors += matrix(linear)
        if let bias = linear.bias {
          tensors.append(ExportedTensor("\(linear.name).bias", vector(bias)))
        }
      }
      for norm in section.norms {
        tensors.append(ExportedTensor("\(norm.name).weight", vector(norm.weight)))
      }
      return ExportedSection(tensors: tensors) { section.release() }
    }
  }

  /// config.json for an export, with the dtype under the names that transformers used before and
  /// since version 5.
  func exportedConfiguration(dtype: String) -> JSONValue {
    var json = companions.configuration
    json["quantization_config"] = nil
    json["torch_dtype"] = .string(dtype)
    json["dtype"] = .string(dtype)
    json["tie_word_embeddings"] = .bool(configuration.tiesEmbeddings)
    return json
  }
}

extension ModelConfiguration {
  /// What transformers has no way to say of a model.
  var problemsInFolders: [StageProblem] {
    guard case .divisors = rotary.scaling else { return [] }
    return [
      StageProblem(
        "the rotary frequencies are scaled one by one, which transformers cannot read; use "
          + "`export.gguf`"
      )
    ]
  }
}

extension ModelPromise {
  /// The number of elements of all biases.
  var biasCount: Int { parts.reduce(0) { $0 + ($1.hasBias ? $1.shape.rows : 0) } }
}
