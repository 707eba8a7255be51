public import Calibrate
public import Pipeline

/// How GPTQ takes the columns of a matrix in turn.
public enum ColumnOrder: String, RecipeChoice {
  case stored, importance

  /// What the choice means.
  public var summary: String {
    switch self {
    case .stored: "from first to last"
    case .importance:
      "the group with the strongest input first, and strong inputs first inside a group; groups "
        + "stay whole, so that files need no index of columns"
    }
  }
}

/// The options of `quantize.gptq`.
public struct GPTQOptions: StageOptions {
  /// Which layers.
  public var selection = WeightSelection()
  /// To what.
  public var grid = Grid(bits: 4, groupSize: .columns(32), scale: .leastSquares)
  /// The text on which inputs are collected.
  public var calibration = CalibrationOptions()
  /// How columns are taken in turn.
  public var order = ColumnOrder.importance
  /// What is added to the diagonal of the Gram matrix at first, in means of it.
  public var damping = 0.01

  /// Creates the default options: every layer of the blocks, 4 bits in groups of 32.
  public init() {}

  /// The grid's options, the method's, then `targets` and `exclude`.
  public static var fields: [Field<GPTQOptions>] {
    Field.fields(of: \.grid) + [
      .field("calibration", \.calibration, "The text on which the layers' inputs are collected."),
      .field("order", \.order, "How the columns of a matrix are taken in turn."),
      .field(
        "damping",
        \.damping,
        in: 0...1,
        "What is added to the diagonal of the inputs' Gram matrix, as a share of its mean: more "
          + "trusts the calibration text less. It is raised where the matrix cannot be factored."
      ),
    ] + Field.fields(of: \.selection)
  }
}
