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
  /// The most bytes of tensors in one file.
  public var maximumShardByteCount: Int

  /// Creates the format.
  public init(type: ElementType, maximumShardByteCount: Int = 5_000_000_000) {
    self.type = type
    self.maximumShardByteCount = maximumShardByteCount
  }

  /// Finds what the format cannot hold; quantized weights are no hindrance.
  public func plan(_ promise: ModelPromise) -> ExportPlan {
    var plan = ExportPlan()
    plan.problems = promise.configuration.problemsInFolders
    plan.byteCount = (promise.parameterCount + promise.biasCount) * type.dtype.byteCount
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
    var summary = try CheckpointFolderWriter(
      model: model,
      sections: sections(model, meter),
      maximumShardByteCount: maximumShardByteCount
    ).write(configuration(model), to: url, progress: progress)
    summary.largestError = meter.largest
    return summary
  }

  /// Compares every tensor of the folder with the model.
  public func verify(_ url: URL, against model: LanguageModel) throws {
    try sections(model, nil).verify(try CheckpointFolder(url.path).open(), at: url.path)
  }

  private func configuration(_ model: LanguageModel) -> JSONValue {
    model.exportedConfiguration(dtype: type.rawValue)
  }

  private func sections(_ model: LanguageModel, _ meter: ErrorMeter?) -> [ExportedSection] {
    let dtype = type.dtype
    return model.exportedSections { linear in
      [ExportedTensor("\(linear.name).weight", linear, as: .elements(dtype), meter: meter)]
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
