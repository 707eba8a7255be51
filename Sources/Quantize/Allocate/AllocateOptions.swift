public import Calibrate
internal import Models
public import Pipeline
internal import Tensor

/// A format that `quantize.allocate` can give a matrix.
public enum CandidateFormat: String, RecipeChoice {
  // Named as the formats are.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1, iq4_nl, q4_0, iq4_xs, q3_k, q2_k

  /// What the choice means.
  public var summary: String {
    let format = format
    return "blocks of \(format.blockLength), \(format.bitsPerWeight) bits a weight"
  }

  var format: BlockFormat {
    switch self {
    case .q8_0: .q8_0
    case .q6_k: .q6_K
    case .q5_k: .q5_K
    case .q5_1: .q5_1
    case .q5_0: .q5_0
    case .q4_k: .q4_K
    case .q4_1: .q4_1
    case .iq4_nl: .iq4_NL
    case .q4_0: .q4_0
    case .iq4_xs: .iq4_XS
    case .q3_k: .q3_K
    case .q2_k: .q2_K
    }
  }
}

/// How matrices of blocks are rounded once their formats are chosen.
public enum AllocationMethod: String, RecipeChoice {
  case gptq, nearest

  /// What the choice means.
  public var summary: String {
    switch self {
    case .gptq: "as `quantize.gptq` does, later columns making up for the errors of earlier ones"
    case .nearest: "every weight to the nearest value, columns weighing as much as their inputs"
    }
  }
}

/// The options of `quantize.allocate`.
public struct AllocateOptions: StageOptions {
  /// The most bytes that the GGUF file may have.
  public var size: ByteSize?
  /// The most bits that the GGUF file may have for each weight of the model.
  public var bitsPerWeight: Double?
  /// The most divergence that may be predicted.
  public var klAtMost: Double?
  /// What a matrix can become.
  public var formats: [CandidateFormat] = [
    .q8_0, .q6_k, .q5_1, .q5_0, .q4_1, .iq4_nl, .q4_0, .q3_k, .q2_k,
  ]
  /// How matrices are rounded.
  public var method = AllocationMethod.gptq
  /// Which matrices.
  public var selection = WeightSelection(targets: [NamePattern("*")])
  /// The text on which sensitivities are measured and inputs are collected.
  public var calibration = CalibrationOptions()
  /// How columns are taken in turn.
  public var order = ColumnOrder.importance
  /// What is added to the diagonal of the Gram matrix at first, in means of it.
  public var damping = 0.01
  /// Whether the inputs' importance is written to a file.
  public var writeImatrix = false

  /// Creates the default options, which lack a budget.
  public init() {}

  /// The options.
  public static var fields: [Field<AllocateOptions>] {
    [
      .field(
        "size",
        \.size,
        "The budget: the most bytes of the GGUF file that `export.gguf` with `type: lossless` "
          + "writes of the result, vocabulary and everything counted. One of `size`, "
          + "`bits_per_weight` and `kl_at_most` is to be given."
      ),
      .field(
        "bits_per_weight",
        \.bitsPerWeight,
        in: .above(0.0, through: 32),
        "The budget as bits of that file for each weight of the model."
      ),
      .field(
        "kl_at_most",
        \.klAtMost,
        in: .above(0.0, through: 100),
        "Instead of a budget, how far the next-token distributions may move, as predicted: the "
          + "mean Kullback-Leibler divergence in nats. The smallest file is made that stays below. "
          + "The prediction is for rounding to the nearest; `gptq` usually comes out lower."
      ),
      .field("formats", \.formats, "What a matrix can become, where blocks divide its rows."),
      .field("method", \.method, "How matrices of blocks are rounded to the formats chosen."),
      .field(
        "calibration",
        \.calibration,
        "The text on which sensitivities are measured and the layers' inputs are collected."
      ),
      .field("order", \.order, "How `gptq` takes the columns of a matrix in turn."),
      .field(
        "damping",
        \.damping,
        in: 0...1,
        "What `gptq` adds to the diagonal of the inputs' Gram matrix, as a share of its mean."
      ),
      .field("write_imatrix", \.writeImatrix, CollectedImportance.summary),
    ] + Field.fields(of: \.selection)
  }

  /// Finds no budget or several, and no formats.
  public func problems() -> [StageProblem] {
    var problems: [StageProblem] = []
    let given = [
      size.map { _ in "size" }, bitsPerWeight.map { _ in "bits_per_weight" },
      klAtMost.map { _ in "kl_at_most" },
    ].compactMap(\.self)
    if given.count > 1 {
      problems.append(
        StageProblem("\(Wording.list(given, "and")) exclude each other; give one", option: given[1])
      )
    } else if given.isEmpty {
      problems.append(
        StageProblem("a budget is missing: give `size`, `bits_per_weight` or `kl_at_most`")
      )
    }
    if formats.isEmpty {
      problems.append(StageProblem("there is no format to choose from", option: "formats"))
    }
    return problems
  }

  /// How matrices are rounded.
  var rounding: CalibratedRounding {
    CalibratedRounding(correctsErrors: method == .gptq, order: order, damping: damping)
  }

  /// The formats that a matrix of so many columns can have, each once, smallest first.
  func candidates(columns: Int) -> [BlockFormat] {
    Set(formats.map(\.format)).filter { columns.isMultiple(of: $0.blockLength) }
      .sorted { ($0.bitsPerWeight, $0.rawValue) < ($1.bitsPerWeight, $1.rawValue) }
  }

  /// The budget in bytes, and the option that gives it; nil if divergence is limited instead.
  func budget(parameterCount: Int) -> (byteCount: Int, option: String)? {
    if let size { return (size.byteCount, "size") }
    return bitsPerWeight.map { (Int($0 * Double(parameterCount) / 8), "bits_per_weight") }
  }
}
