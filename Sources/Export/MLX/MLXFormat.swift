public import Foundation
public import Models
public import Pipeline
internal import Tensor

/// A folder in the format of MLX, which mlx-lm and Swift programs on Apple silicon open.
///
///     value = scale · code + bias
///
/// Codes are those in memory, bit for bit. Symmetric grids and grids with zero points get the bias
/// −scale · zero, which is exact for symmetric ones. MLX has groups of 32, 64 and 128: larger groups
/// become several with the same scale. Everything that is not quantized has the type of the scales,
/// as MLX multiplies fastest if they are one.
public struct MLXFormat: ExportFormat {
  /// The widths of codes that MLX has, in bits.
  package static let widths = [2, 3, 4, 5, 6, 8]
  /// The group sizes that MLX has, the largest first.
  package static let groupSizes = [128, 64, 32]

  /// The type of scales, biases and all other numbers; nil for that of the quantized matrices'
  /// scales.
  public var type: ElementType?
  /// Whether scales and biases may be rounded to the type.
  public var rounding: RoundingRule
  /// The most bytes of tensors in one file.
  public var maximumShardByteCount: Int

  /// Creates the format.
  public init(
    type: ElementType? = nil,
    rounding: RoundingRule = .refused,
    maximumShardByteCount: Int = 5_000_000_000
  ) {
    self.type = type
    self.rounding = rounding
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

  func folder(_ groups: [GroupFormat]) -> CodedFolder<MLXCoding> {
    let dtype = type?.dtype ?? groups.map(\.scaleType).mostFrequent ?? .float32
    return CodedFolder(
      coding: MLXCoding(
        dtype: dtype,
        conversion: ScaleConversion(dtype: dtype, rounding: rounding)
      ),
      maximumShardByteCount: maximumShardByteCount
    )
  }
}
