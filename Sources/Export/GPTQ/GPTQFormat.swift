public import Foundation
public import Models
public import Pipeline
internal import Tensor

/// The versions of GPTQ's folders, which differ in how they store zero points.
public enum GPTQVersion: String, RecipeChoice {
  case first = "gptq"
  case second = "gptq_v2"

  /// What the choice means.
  public var summary: String {
    switch self {
    case .first: "stores the zero point less 1; what most programs read"
    case .second: "stores the zero point itself"
    }
  }
}

/// A Hugging Face folder in the format of AutoGPTQ and GPTQModel, which vLLM, transformers and
/// others read.
///
/// Codes are those in memory, packed along the inputs: `qweight` is the transpose of the words of
/// our rows. Scales are float16. Symmetric codes have the zero point 2^(bits − 1) in every group.
/// `g_idx`, the group of each input, is written in order.
public struct GPTQFormat: ExportFormat {
  /// The version; nil for the first if all matrices are symmetric, else the second.
  public var version: GPTQVersion?
  /// Whether scales that are no float16 numbers may be rounded.
  public var rounding: RoundingRule
  /// The type of the tensors that are not quantized; nil for the type they have.
  public var type: ElementType?
  /// The most bytes of tensors in one file.
  public var maximumShardByteCount: Int

  /// Creates the format.
  public init(
    version: GPTQVersion? = nil,
    rounding: RoundingRule = .refused,
    type: ElementType? = nil,
    maximumShardByteCount: Int = 5_000_000_000
  ) {
    self.version = version
    self.rounding = rounding
    self.type = type
    self.maximumShardByteCount = maximumShardByteCount
  }

  /// Finds what the format cannot hold.
  public func plan(_ promise: ModelPromise) -> ExportPlan {
    folder(promise.groupFormats).plan(promise)
  }

  /// Writes the folder.
  public func write(
    _ model: LanguageModel,
    to url: URL,
    progress: (_ done: Int, _ total: Int) -> Void
  ) throws -> ExportSummary {
    try folder(model.groupFormats).write(model, to: url, progress: progress)
  }

  /// Compares every tensor of the folder with the model, and opens it as a model.
  public func verify(_ url: URL, against model: LanguageModel) throws {
    try folder(model.groupFormats).verify(url, against: model)
  }

  private func folder(_ groups: [GroupFormat]) -> CodedFolder<GPTQCoding> {
    let isSymmetric = groups.allSatisfy { $0.zero == .symmetric }
    return CodedFolder(
      coding: GPTQCoding(
        version: version ?? (isSymmetric ? .first : .second),
        usual: groups.mostFrequent,
        plainType: type?.dtype,
        conversion: ScaleConversion(dtype: .float16, rounding: rounding)
      ),
      maximumShardByteCount: maximumShardByteCount
    )
  }
}
