public import Models

/// Goes back to the model that the recipe began with, so that one recipe makes several results.
///
///     stages:
///       - quantize.round_to_nearest: { bits: 8 }
///       - export.compressed_tensors: { path: int8 }
///       - restore.baseline
///       - quantize.round_to_nearest: { bits: 4, group_size: 32 }
///       - export.compressed_tensors: { path: int4 }
///
/// The runner does the work: it hands the original model to the stages that follow.
public struct RestoreBaselineStage: Stage {
  /// No options.
  public struct Options: StageOptions {
    /// Creates the options.
    public init() {}
    /// None.
    public static var fields: [Field<Options>] { [] }
  }

  /// `restore.baseline`.
  public static let kind = "restore.baseline"
  /// What the stage does.
  public static let summary =
    "Goes back to the model that the recipe began with, for another result from it."
  /// Later stages read the original model.
  public static let effect = StageEffect.restoresBaseline
  /// The stage as a line of a recipe.
  public static let example = "restore.baseline"

  /// Creates the stage.
  public init(_ options: Options) {}

  /// Finds nothing; the runner replaces the promise by the original model's.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] { [] }

  /// Does nothing.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    StageReport()
  }
}

/// The stages that this module has.
public let pipelineStages: [any Stage.Type] = [RestoreBaselineStage.self]
