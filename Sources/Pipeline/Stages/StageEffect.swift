/// What running a stage leaves behind.
public enum StageEffect: String, Sendable, Codable {
  /// The stage changes the model that later stages read; the result is stored as a checkpoint.
  case changesModel = "changes_model"
  /// The stage writes a file or folder for others to use; later stages read the same model.
  case exports
  /// The stage reports numbers only.
  case measures
  /// Later stages read the model that the recipe began with.
  case restoresBaseline = "restores_baseline"
}
