public import Calibrate
public import Models
public import Pipeline
internal import Tensor

/// `quantize.activations`: layers take their inputs as bytes, so that products are computed in
/// integers.
///
/// Weights that are elements are rounded to 8 bits with a scale for each row; weights that are
/// symmetric codes already stay as they are. What follows, evaluation and generation included,
/// computes what an integer kernel computes.
///
///     - quantize.activations: { inputs: dynamic_per_token }
///     - quantize.activations: { inputs: static_per_tensor, observer: mean_squared_error }
///
/// A static range is chosen for the inputs that a layer has once the layers before it are
/// quantized; layers that share an input share its range.
///
/// Source: Dynamic scales per token: Yao et al., *ZeroQuant*, 2022, arXiv:2206.01861. Observers:
/// Wu et al., *Integer Quantization for Deep Learning Inference*, 2020, arXiv:2004.09602, section
/// 5; entropy: Migacz, *8-bit Inference with TensorRT*, 2017. Differs in that histograms are made
/// of bins of equal relative width, so that one pass over the text is enough, and in that the
/// squared error is integrated over each bin.
public struct ActivationsStage: CalibratedStage {
  /// `quantize.activations`.
  public static let kind = "quantize.activations"
  /// What the stage does.
  public static let summary =
    "Rounds the inputs of layers to 8 bits, a scale for each token or one found by calibration, "
    + "and weights with them, so that products are computed in integers."
  /// The model that later stages read computes differently.
  public static let effect = StageEffect.changesModel

  private let options: ActivationsOptions

  /// How weights that are elements are rounded: no kernel expects negative scales.
  private static let grid = Grid(
    bits: 8,
    groupSize: .channel,
    scale: .leastSquares,
    scaleType: .float32,
    negativeScales: false
  )

  private static let objection = "has no codes around zero to multiply bytes by"
  private static let remedy =
    "leave it out with `exclude`, or quantize it with `zero: symmetric`"

  /// Creates the stage.
  public init(_ options: ActivationsOptions) { self.options = options }

  /// Finds patterns without a match, a selection of what is not a layer of a block, and weights
  /// that cannot be multiplied in integers.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems = options.selection.check(promise)
    if options.inputs == .staticPerTensor {
      problems += options.calibration.check(promise)
    }
    guard problems.isEmpty else { return problems }
    let parts = options.selection.select(from: promise)
    problems += options.selection.outsideBlocks(
      promise,
      remedy: "its inputs stay as they are"
    )
    for part in parts {
      guard let misfit = part.expectedFormats.first(where: { !$0.isMultipliable }) else { continue }
      problems.append(
        StageProblem(
          "the weight of `\(part.name)` \(part.possibleFormats.isEmpty ? "is" : "may become") "
            + "\(misfit), which \(Self.objection); \(Self.remedy)",
          option: "targets"
        )
      )
      break
    }
    guard problems.isEmpty else { return problems }
    let kind = options.inputs
    promise.update(Set(parts.map(\.name))) { part in
      part.activation = kind
      if part.format.isElements { part.quantize(to: .groups(Self.grid.format), by: Self.kind) }
    }
    return []
  }

  /// The calibration text, if inputs have ranges of their own.
  public var calibration: CalibrationOptions? {
    options.inputs == .staticPerTensor ? options.calibration : nil
  }

  /// Says what is selected, and estimates memory from sizes and the time from operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let parts = options.selection.select(from: promise)
    let elements = parts.filter(\.format.isElements)
    let isStatic = options.inputs == .staticPerTensor
    let codes = promise.largestSection { part in
      guard part.isLinear, part.format.isElements, options.selection.selects(part.name) else {
        return 0
      }
      return WeightFormat.groups(Self.grid.format)
        .byteCount(rows: part.shape.rows, columns: part.shape.columns)
    }
    var seconds = Double(elements.reduce(0) { $0 + $1.shape.count }) * 10e-9
    var made = codes
    if isStatic {
      let operations = promise.linears.reduce(0) { $0 + Double($1.shape.count) }
      seconds += 2 * Double(options.calibration.tokenCount) * operations / 6e10
      made += options.calibration.peakByteCount(promise, collectsGram: false)
    }
    var notes: [String] = []
    if !elements.isEmpty {
      notes.append(
        "\(Wording.count(elements.count, "weight is", "weights are")) rounded to 8 bits with a "
          + "scale for each row"
      )
    }
    return StagePlan(
      matches: options.selection.matches(in: promise),
      peakByteCount: promise.peakByteCount(making: made),
      seconds: seconds,
      notes: notes
    )
  }

  /// Marks layer after layer, storing each block when it is complete.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    // Earlier stages may have chosen formats that were not known before they ran.
    if let misfit = model.linears.first(where: { linear in
      options.selection.selects(linear.name) && !linear.format.isMultipliable
    }) {
      throw QuantizeError(
        .unsupported,
        "the weight is \(misfit.format), which \(Self.objection)",
        layer: misfit.name,
        remedy: Self.remedy
      )
    }
    var tally = ActivationsTally()
    if options.inputs == .dynamicPerToken {
      for block in model.blocks {
        for linear in block.linears where options.selection.selects(linear.name) {
          linear.activation = .dynamicPerToken
          try round(linear, &tally, [:])
        }
        try context.finishBlock(block.index, of: model.blocks.count)
      }
      return tally.report
    }
    let set = try options.calibration.load(model, context)
    let walk = try BlockWalk(
      model,
      set,
      memoryByteCount: options.calibration.memory.byteCount,
      scratch: context.folder
    )
    for index in model.blocks.indices {
      try walk.walkBlock(collecting: [.magnitudes, .histogram]) { group in
        let linears = group.linears.filter { options.selection.selects($0.name) }
        guard !linears.isEmpty, let histogram = group.statistics.histogram else { return }
        let largest = group.statistics.largestMagnitudes.max() ?? 0
        let inputs = MagnitudeDistribution(counts: histogram.counts, largest: largest)
        let scale = inputs.scale(options.observer, percentile: options.percentile)
        let values = [
          "input_scale": Double(scale), "input_maximum": Double(largest),
          "input_error": inputs.relativeSquaredError(scale: scale),
          "clipped_fraction": inputs.clippedFraction(scale: scale),
        ]
        for linear in linears {
          linear.activation = .staticPerTensor(scale: scale)
          try round(linear, &tally, values)
        }
      }
      try context.finishBlock(index, of: model.blocks.count)
    }
    return tally.report
  }

  /// Rounds a weight unless it has codes, and notes the layer.
  private func round(
    _ linear: Linear,
    _ tally: inout ActivationsTally,
    _ values: [String: Double]
  ) throws {
    let byteCount = linear.format.byteCount(rows: linear.rows, columns: linear.columns)
    var rounded: RoundedWeight?
    if linear.format.isElements {
      let found = try roundToNearest(linear.weight.matrix, grid: Self.grid, layer: linear.name)
      linear.weight = found.weight
      rounded = found
    }
    tally.add(linear, rounded, byteCountBefore: byteCount, values)
  }
}

extension WeightFormat {
  /// Whether weights are numbers, not codes.
  fileprivate var isElements: Bool {
    if case .elements(let dtype) = self { dtype != .int8 } else { false }
  }

  /// Whether weights can be multiplied by bytes: elements, which are rounded, or codes around zero
  /// with a scale.
  fileprivate var isMultipliable: Bool {
    switch self {
    case .elements: true
    case .blocks(let format): format == .q8_0 || format == .q4_0
    case .groups(let format): format.zero == .symmetric
    }
  }
}
