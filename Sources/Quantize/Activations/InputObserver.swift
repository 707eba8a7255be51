public import Pipeline

/// How the range of a layer's inputs is chosen from what calibration saw.
public enum InputObserver: String, RecipeChoice {
  case maximum
  case percentile
  case meanSquaredError = "mean_squared_error"
  case entropy

  /// What the choice means.
  public var summary: String {
    switch self {
    case .maximum: "the largest magnitude, so that nothing seen is clipped"
    case .percentile: "the magnitude that a share of all values, `percentile`, does not exceed"
    case .meanSquaredError: "the range with the least squared error of the rounded inputs"
    case .entropy:
      "the range whose rounded values are distributed most like the inputs (Kullback–Leibler "
        + "divergence of histograms)"
    }
  }
}
