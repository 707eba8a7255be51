public import Calibrate
public import Pipeline

/// What the output of a block is compared with.
public enum RoundingTarget: String, RecipeChoice {
  case original, block

  /// What the choice means.
  public var summary: String {
    switch self {
    case .original:
      "what the original model has there, so that a block also makes good what those before it did"
    case .block: "what the block gives for the same inputs before it is quantized"
    }
  }
}

/// The options of `quantize.round`.
public struct LearnedRoundingOptions: StageOptions {
  /// Which layers.
  public var selection = WeightSelection()
  /// To what.
  public var grid = Grid(bits: 4, groupSize: .columns(32), scale: .leastSquares)
  /// The text whose activations are compared.
  public var calibration = CalibrationOptions()
  /// Steps for each block.
  public var iterations = 200
  /// Sequences of a step.
  public var batch = 4
  /// How far a step moves a weight, in codes; `1 / iterations` if nil.
  public var learningRate: Double?
  /// How far a step moves a scale, relative to it; as `learningRate` if nil.
  public var scaleRate: Double?
  /// What outputs are compared with.
  public var target = RoundingTarget.original

  /// Creates the default options: every layer of the blocks, 4 bits in groups of 32.
  public init() {
    calibration.sequences = 64
    calibration.length = 256
  }

  /// The grid's options, the method's, then `targets` and `exclude`.
  public static var fields: [Field<LearnedRoundingOptions>] {
    Field.fields(of: \.grid) + [
      .field("calibration", \.calibration, "The text whose activations are compared."),
      .field("iterations", \.iterations, in: 1...100_000, "Steps for each block."),
      .field("batch", \.batch, in: 1...65_536, "Sequences in a step, drawn in random order."),
      .field(
        "learning_rate",
        \.learningRate,
        in: .above(0.0, through: 1.0),
        "How far the first step moves a weight before rounding, in codes; later ones move it less "
          + "and less. `1 / iterations` if not given."
      ),
      .field(
        "scale_rate",
        \.scaleRate,
        in: 0...1,
        "How far the first step moves a scale or offset, relative to the scale; as `learning_rate` "
          + "if not given, 0 to leave them."
      ),
      .field("target", \.target, "What the output of a block is compared with."),
    ] + Field.fields(of: \.selection)
  }

  var rates: (codes: Double, scales: Double) {
    let codes = learningRate ?? 1 / Double(iterations)
    return (codes, scaleRate ?? codes)
  }
}
