public import Calibrate
internal import Models
public import Pipeline
internal import Tensor

/// How the matrices of blocks are rounded once their formats are chosen.
public enum AllocationMethod: String, RecipeChoice {
  case gptq, nearest

  /// What the choice means.
  public var summary: String {
    switch self {
    case .gptq: "as `quantize.gptq` does, later columns making up for the errors of earlier ones"
    case .nearest:
      "every weight to the nearest value; in blocks of GGUF columns weigh as much as their inputs"
    }
  }
}

/// The options of `quantize.allocate`.
public struct AllocateOptions: StageOptions {
  /// What file the budget is about.
  public var file = AllocationFile.gguf
  /// The most bytes that the file may have.
  public var size: ByteSize?
  /// The most bits that the file may have for each weight of the model.
  public var bitsPerWeight: Double?
  /// The most divergence that may be predicted.
  public var klAtMost: Double?
  /// What a matrix can become; nil for what the kind of file has as a rule.
  public var formats: [CandidateFormat]?
  /// The type of the scales and offsets of groups.
  public var scaleType = ScaleType.float16
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

  /// What matrices can become in each kind of file, as a sentence.
  private static var defaultCandidates: String {
    let kinds = AllocationFile.allCases.map { file in
      let names = file.candidates.map { "`\($0.recipeText)`" }
      return "\(Wording.list(names, "and")) for `\(file.rawValue)`"
    }
    return kinds.joined(separator: "; ") + "."
  }

  /// The options.
  public static var fields: [Field<AllocateOptions>] {
    [
      .field(
        "size",
        \.size,
        "The budget: the most bytes of the file that is written of the result, as reports and "
          + "gates measure it. In a GGUF file the vocabulary and everything counts; of a folder "
          + "the safetensors files with their headers, configuration and tokenizer not. One of "
          + "`size`, `bits_per_weight` and `kl_at_most` is to be given."
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
      .field(
        "file",
        \.file,
        "What file the budget is about: the one that the export of this name writes, its other "
          + "options left out."
      ),
      .field(
        "formats",
        \.formats,
        "What a matrix can become, where blocks or groups divide its rows; all blocks, or all "
          + "groups, as the file has them. By default "
          + defaultCandidates
      ),
      .field(
        "scale_type",
        \.scaleType,
        "The type of the scales and offsets of groups; blocks have their own."
      ),
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

  /// Finds no budget or several, no formats, and those that the file does not hold.
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
    if offered.isEmpty {
      problems.append(StageProblem("there is no format to choose from", option: "formats"))
    }
    for (index, candidate) in offered.enumerated() {
      guard let objection = file.objection(to: candidate) else { continue }
      problems.append(
        StageProblem("`\(candidate.recipeText)`: \(objection)", option: "formats.\(index)")
      )
    }
    if file == .gguf, scaleType != AllocateOptions().scaleType {
      problems.append(
        StageProblem("blocks have their own types of scales; leave it out", option: "scale_type")
      )
    }
    return problems
  }

  /// How matrices are rounded.
  var rounding: CalibratedRounding {
    CalibratedRounding(correctsErrors: method == .gptq, order: order, damping: damping)
  }

  /// What a matrix can become.
  var offered: [CandidateFormat] { formats ?? file.candidates }

  /// What a matrix of so many columns can be rounded to, each once, smallest first.
  func candidates(columns: Int) -> [QuantizationTarget] {
    Set(offered).map { file.target($0, scaleType: scaleType) }
      .filter { columns.isMultiple(of: $0.span(columns: columns)) }
      .sorted { $0.format.order(columns: columns) < $1.format.order(columns: columns) }
  }

  /// Which matrices get formats: all that the file can hold quantized where all are selected.
  ///
  /// No loader of compressed-tensors folders expects a quantized embedding.
  var matrices: WeightSelection {
    var matrices = selection
    if file == .compressedTensors, selection.targets == AllocateOptions().selection.targets {
      matrices.targets = WeightSelection().targets
    }
    return matrices
  }

  /// The budget in bytes, and the option that gives it; nil if divergence is limited instead.
  func budget(parameterCount: Int) -> (byteCount: Int, option: String)? {
    if let size { return (size.byteCount, "size") }
    return bitsPerWeight.map { (Int($0 * Double(parameterCount) / 8), "bits_per_weight") }
  }
}

extension WeightFormat {
  /// What orders candidates for a matrix of so many columns: bits a weight, then any fixed order.
  fileprivate func order(columns: Int) -> (Double, Int32, String) {
    var number: Int32 = 0
    if case .blocks(let format) = self { number = format.rawValue }
    return (bitsPerWeight(columns: columns), number, description)
  }
}
