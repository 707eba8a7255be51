public import Foundation
public import Models
public import Pipeline
internal import Tensor

/// A stage that writes the model in a format.
///
/// What a stage of this kind adds to its format are the options of a recipe.
public protocol ExportStage: Stage {
  /// The format's type.
  associatedtype Format: ExportFormat
  /// The format with the stage's options.
  var format: Format { get }
  /// The format with what the files hold that options name.
  func format(_ paths: RecipePaths) throws -> Format
}

extension ExportStage {
  /// The format with the stage's options, which name no files.
  public func format(_ paths: RecipePaths) throws -> Format { format }

  /// The model that later stages read stays the same.
  public static var effect: StageEffect { .exports }

  /// What the format cannot hold.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    format.plan(promise).problems
  }

  /// What the format cannot express of tokenizer and templates.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    format.companionProblems(of: model)
  }

  /// The size of the export, exact but for headers and vocabulary; the most that it may be if
  /// earlier stages choose formats when they run.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    var plan = format.plan(promise)
    if let limit = promise.fileByteCountAtMost, limit < plan.byteCount,
      // An export in one type is larger, whatever they choose.
      format.plan(promise.smallest).byteCount <= limit
    {
      plan.byteCount = limit
    }
    let weights = Double(max(1, promise.parameterCount))
    // What is written is read again to compare it. Matrices become rows of the file in runs of a
    // megabyte of numbers, in float32 and as stored, but for those whose rows change places.
    let run = promise.linears.map(\.shape.count).reduce(1 << 20, max)
    return StagePlan(
      outputByteCount: plan.byteCount,
      bitsPerWeight: Double(plan.byteCount) * 8 / weights,
      peakByteCount: promise.peakByteCount(making: plan.byteCount + 8 * run),
      seconds: Double(promise.byteCount + plan.byteCount) * 1e-9,
      notes: plan.notes
    )
  }

  /// Writes the model to the place the context offers.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let format = try format(context.paths)
    // Earlier stages may have chosen formats that were not known before they ran.
    let plan = format.plan(ModelPromise(model.outline))
    if let problem = plan.problems.first {
      throw ExportError(
        .unsupported,
        problem.message,
        at: Self.kind,
        remedy: "correct the recipe and run it again; what earlier stages made is kept"
      )
    }
    let summary = try format.write(model, to: context.exportURL) { done, total in
      context.progress(done, of: total, unit: "sections")
    }
    for warning in summary.warnings { context.warn(warning) }
    if plan.isSizeExact && plan.byteCount != summary.tensorByteCount {
      context.warn(
        "\(summary.tensorByteCount) bytes of tensors were written, \(plan.byteCount) promised"
      )
    }
    var metrics = [
      "file_bytes": Double(summary.fileByteCount), "tensor_bytes": Double(summary.tensorByteCount),
      "tensors": Double(summary.tensorCount),
    ]
    var layers: [StageReport.Layer] = []
    if let error = summary.largestError {
      metrics["largest_error"] = error.value
      layers.append(
        StageReport.Layer(
          error.name,
          ["largest_error": error.value],
          note: "the largest change by the export"
        )
      )
    }
    return StageReport(metrics: metrics, layers: layers)
  }

  /// Compares every tensor of the export with the model.
  public func verify(
    _ export: URL,
    against model: LanguageModel,
    _ context: StageContext
  ) throws {
    try format(context.paths).verify(export, against: model)
  }
}
