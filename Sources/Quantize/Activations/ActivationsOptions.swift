public import Calibrate
public import Models
public import Pipeline

extension ActivationQuantization.Kind: RecipeChoice {
  /// What the choice means.
  public var summary: String {
    switch self {
    case .dynamicPerToken:
      "each token's input has the scale that its largest magnitude asks for, found when the model "
        + "runs; needs no calibration"
    case .staticPerTensor:
      "all inputs of a layer share a scale, found by calibration; spares the search when the model "
        + "runs, and loses more"
    }
  }
}

/// The options of `quantize.activations`.
public struct ActivationsOptions: StageOptions {
  /// Which layers.
  public var selection = WeightSelection()
  /// What inputs share a scale.
  public var inputs = ActivationQuantization.Kind.dynamicPerToken
  /// How a static range is chosen.
  public var observer = InputObserver.meanSquaredError
  /// The share of values that `percentile` keeps, in percent.
  public var percentile = 99.99
  /// The text on which inputs are seen.
  public var calibration = CalibrationOptions()

  /// Creates the default options: every layer of the blocks, a scale for every token.
  public init() {}

  /// The method's options, then `targets` and `exclude`.
  public static var fields: [Field<ActivationsOptions>] {
    [
      .field("inputs", \.inputs, "Which inputs share a scale."),
      .field("observer", \.observer, "How the range of `static_per_tensor` is chosen."),
      .field(
        "percentile",
        \.percentile,
        in: 50...100,
        "The share of magnitudes, in percent, that `observer: percentile` does not clip."
      ),
      .field(
        "calibration",
        \.calibration,
        "The text on which the inputs of `static_per_tensor` are seen."
      ),
    ] + Field.fields(of: \.selection)
  }
}
