public import Models

/// What a stage can look at before anything runs, beside what earlier stages promise.
public struct StageSetting {
  /// The recipe's model, as it is before the first stage.
  public let baseline: LanguageModel
  /// Where paths of the recipe start.
  public let paths: RecipePaths
  /// Whether the stage reads that very model, as no stage before it changes it.
  public let readsBaseline: Bool

  /// Creates a setting.
  public init(baseline: LanguageModel, paths: RecipePaths, readsBaseline: Bool) {
    self.baseline = baseline
    self.paths = paths
    self.readsBaseline = readsBaseline
  }
}
