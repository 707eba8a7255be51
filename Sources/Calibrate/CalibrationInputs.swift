public import Pipeline

/// Whose inputs a layer is fitted to.
public enum CalibrationInputs: String, RecipeChoice {
  /// Those that the layers before it give once they are changed.
  case quantized
  /// Those that the original layers give.
  case original

  /// What the choice means.
  public var summary: String {
    switch self {
    case .quantized: "what the layers before give once they are changed, as it really will be"
    case .original:
      "what the original layers give; kept for other recipes of the same model and text"
    }
  }
}
