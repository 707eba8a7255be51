public import Calibrate
public import Pipeline

/// What becomes of layers once they are scaled.
public enum AWQRounding: String, RecipeChoice {
  case nearest, none

  /// What the choice means.
  public var summary: String {
    switch self {
    case .nearest: "they are rounded to the nearest code of the grid"
    case .none:
      "they stay as they are, for `quantize.gptq` or `quantize.round_to_nearest` with the same grid "
        + "to follow"
    }
  }
}

/// The options of `quantize.awq`.
public struct AWQOptions: StageOptions {
  /// Which layers.
  public var selection = WeightSelection()
  /// To what.
  public var grid = Grid(bits: 4, groupSize: .columns(32), scale: .leastSquares)
  /// The text on which inputs are collected.
  public var calibration = CalibrationOptions()
  /// What candidates are made from.
  public var scalesFrom = ScaleSource.inputs
  /// The number of powers that are tried.
  public var steps = 20
  /// What becomes of the scaled layers.
  public var rounding = AWQRounding.nearest

  /// Creates the default options: every layer of the blocks, 4 bits in groups of 32.
  public init() {}

  /// The grid's options, the method's, then `targets` and `exclude`.
  public static var fields: [Field<AWQOptions>] {
    Field.fields(of: \.grid) + [
      .field("calibration", \.calibration, "The text on which the layers' inputs are collected."),
      .field("scales_from", \.scalesFrom, "What the scales that are tried are made from."),
      .field(
        "steps",
        \.steps,
        in: 2...1000,
        "How many powers from 0, below 1, are tried for each place."
      ),
      .field("rounding", \.rounding, "What becomes of the layers once they are scaled."),
    ] + Field.fields(of: \.selection)
  }
}
