public import Foundation
public import Models
public import Pipeline
internal import Tensor

/// A Hugging Face folder in AutoAWQ's `gemm` layout, which vLLM, transformers, mlx-lm and others
/// read.
///
/// Codes of 4 bits are those in memory, eight neighbouring outputs in a word, the even ones first.
/// Scales are float16; symmetric codes have the zero point 8 in every group. All quantized matrices
/// have one group size.
public struct AWQFormat: ExportFormat {
  /// Whether scales that are no float16 numbers may be rounded.
  public var rounding: RoundingRule
  /// The type of the tensors that are not quantized; nil for the type they have.
  public var type: ElementType?
  /// The most bytes of tensors in one file.
  public var maximumShardByteCount: Int

  /// Creates the format.
  public init(
    rounding: RoundingRule = .refused,
    type: ElementType? = nil,
    maximumShardByteCount: Int = 5_000_000_000
  ) {
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

  private func folder(_ groups: [GroupFormat]) -> CodedFolder<AWQCoding> {
    CodedFolder(
      coding: AWQCoding(
        usual: groups.mostFrequent,
        plainType: type?.dtype,
        conversion: ScaleConversion(dtype: .float16, rounding: rounding)
      ),
      maximumShardByteCount: maximumShardByteCount
    )
  }
}
