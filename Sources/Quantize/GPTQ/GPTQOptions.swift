public import Calibrate
internal import Checkpoints
internal import Models
public import Pipeline
internal import Tensor

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
  /// The GGUF type whose blocks are filled, instead of groups of integer codes.
  public var type: BlockTarget?
  /// The text on which inputs are collected.
  public var calibration = CalibrationOptions()
  /// How columns are taken in turn.
  public var order = ColumnOrder.importance
  /// What is added to the diagonal of the Gram matrix at first, in means of it.
  public var damping = 0.01
  /// Whether zeros of pruned matrices stay zero.
  public var keepZeros = true
  /// Whether the inputs' importance is written to a file.
  public var writeImatrix = false

  /// Creates the default options: every layer of the blocks, 4 bits in groups of 32.
  public init() {}

  /// The grid's options, the method's, then `targets` and `exclude`.
  public static var fields: [Field<GPTQOptions>] {
    Field.fields(of: \.grid) + [
      .field(
        "type",
        \.type,
        "The GGUF type whose blocks are filled, instead of integer codes in groups; it takes the "
          + "place of the options of the grid. A mixture such as `q4_k_m` gives each matrix what "
          + "llama.cpp gives it."
      ),
      .field("calibration", \.calibration, "The text on which the layers' inputs are collected."),
      .field("order", \.order, "How the columns of a matrix are taken in turn."),
      .field(
        "damping",
        \.damping,
        in: 0...1,
        "What is added to the diagonal of the inputs' Gram matrix, as a share of its mean: more "
          + "trusts the calibration text less. It is raised where the matrix cannot be factored."
      ),
      .field(
        "keep_zeros",
        \.keepZeros,
        "Whether weights that are zero stay zero, in matrices of which at least 5 % are: what "
          + "pruning has set to zero. Not of weights that are quantized already, nor on grids "
          + "without an exact zero: `zero: offset`, and the types Q4_1, Q5_1, Q2_K, Q4_K, Q5_K, "
          + "IQ4_NL and IQ4_XS."
      ),
      .field("write_imatrix", \.writeImatrix, CollectedImportance.summary),
    ] + Field.fields(of: \.selection)
  }

  /// Finds options of a grid beside a type, which has a grid of its own.
  public func problems() -> [StageProblem] {
    guard type != nil && grid != GPTQOptions().grid else { return [] }
    return [
      StageProblem(
        "blocks have their own widths and scales; leave out the options of the grid, or `type`",
        option: "type"
      )
    ]
  }
}

/// The GGUF types whose blocks codes can be chosen for.
public enum BlockTarget: String, RecipeChoice {
  // Named as the formats are.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q8_0, q4_0, q4_1, q5_0, q5_1
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q2_k, q3_k_s, q3_k_m, q3_k_l, q4_k_s, q4_k_m, q5_k_s, q5_k_m, q6_k, iq4_nl, iq4_xs

  /// What the choice means.
  public var summary: String {
    BlockPreset(rawValue: rawValue) == nil
      ? "this format for every matrix" : "llama.cpp's mixture of this name"
  }

  /// What a matrix is rounded to; nil if its rows fill no blocks.
  func format(
    for name: String,
    columns: Int,
    in configuration: ModelConfiguration
  ) -> BlockFormat? {
    guard let preset = BlockPreset(rawValue: rawValue) else {
      let format = BlockFormat.allCases.first { $0.name.lowercased() == rawValue }
      return format.flatMap { columns % $0.blockLength == 0 ? $0 : nil }
    }
    let choice = preset.choice(for: name, columns: columns, in: configuration, hasImportance: true)
    if case .blocks(let format) = choice.stored { return format }
    return nil
  }
}
