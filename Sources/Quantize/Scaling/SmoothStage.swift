public import Calibrate
public import Models
public import Pipeline
internal import Tensor

/// `quantize.smooth`: moves scales from layers' inputs into their weights, so that both can be
/// rounded to 8 bits.
///
/// The model computes the same as before, in the same types; it is meant to be quantized next:
///
///     - quantize.smooth: { alpha: 0.5 }
///     - quantize.round_to_nearest: { bits: 8, group_size: channel }
public struct SmoothStage: CalibratedStage {
  /// `quantize.smooth`.
  public static let kind = "quantize.smooth"
  /// What the stage does.
  public static let summary =
    "Moves scales from layers' inputs into their weights, so that inputs have fewer extreme values "
    + "when both are rounded to 8 bits (SmoothQuant)."
  /// The model that later stages read is changed.
  public static let effect = StageEffect.changesModel

  private let options: SmoothOptions

  /// Creates the stage.
  public init(_ options: SmoothOptions) { self.options = options }

  /// Finds a model that is quantized already.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems = options.calibration.check(promise)
    if !pairs(promise).contains(where: isDense) {
      problems.append(
        StageProblem("the weights are quantized already; smooth before they are")
      )
    }
    return problems
  }

  /// The calibration text.
  public var calibration: CalibrationOptions? { options.calibration }

  private func pairs(_ promise: ModelPromise) -> [PlannedPair] {
    promise.scalingPairs.filter { isChosen($0.place) }
  }

  private func isDense(_ pair: PlannedPair) -> Bool { pair.linears.allSatisfy(\.format.isDense) }

  private func isChosen(_ place: ScalingPair.Place) -> Bool {
    options.places == .all || place == .attentionInput || place == .feedForwardInput
  }

  /// Estimates memory from sizes and the time from operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let weights = Double(promise.linears.reduce(0) { $0 + $1.shape.count })
    let candidates = options.alpha == .search ? 24.0 : 2
    let samples = Double(min(InputStatistics.sampleLimit, options.calibration.tokenCount))
    let operations =
      2 * Double(options.calibration.tokenCount) * weights + candidates * 2 * samples * weights
    let skipped = pairs(promise).count { !isDense($0) }
    let block = promise.largestSection { $0.isLinear ? $0.byteCount + $0.shape.count * 8 : 0 }
    return StagePlan(
      peakByteCount: promise.peakByteCount(
        making: options.calibration.peakByteCount(promise, collectsGram: false) + block
      ),
      seconds: operations / 6e10 + candidates * weights * 2e-9,
      notes: skipped == 0
        ? []
        : [
          "\(Wording.count(skipped, "place is", "places are")) left alone, as a layer there is "
            + "quantized already"
        ]
    )
  }

  /// Walks through the model, storing each block when it is complete.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let set = try options.calibration.load(model, context)
    let walk = try BlockWalk(
      model,
      set,
      memoryByteCount: options.calibration.memory.byteCount,
      scratch: context.folder
    )
    var tally = ScalingTally()
    for index in model.blocks.indices {
      // A token with outputs far longer than those of all others would decide alone; scales of each
      // token make its own length irrelevant to what rounding its inputs costs.
      let groups = try walk.observeBlock(
        collecting: [.magnitudes, .samples, .balanced],
        advancing: true
      )
      for (pair, group) in zip(model.scalingPairs(ofBlock: index), groups) {
        guard isChosen(pair.place), pair.linears.allSatisfy(\.format.isDense) else { continue }
        try smooth(pair, SmoothingProblem(pair, group.statistics), &tally)
      }
      try context.finishBlock(index, of: model.blocks.count)
    }
    return tally.report(order: model.linears.map(\.name))
  }

  private func smooth(
    _ pair: ScalingPair,
    _ problem: SmoothingProblem,
    _ tally: inout ScalingTally
  ) throws {
    let (scales, alpha) =
      switch options.alpha {
      case .fixed(let value): (problem.scales(alpha: value), Double?.some(value))
      case .search: try problem.bestScales()
      }
    let before = try problem.errors(Array(repeating: 1, count: pair.scaleCount))
    let after = try problem.errors(scales)
    let byteCounts = pair.consumers.map(\.weight.byteCount)
    try pair.applyChecked(scales)
    for (index, linear) in pair.consumers.enumerated() {
      tally.add(
        linear,
        byteCountBefore: byteCounts[index],
        values: [
          "output_error_before": before[index].relative, "output_error": after[index].relative,
        ].merging(alpha.map { ["alpha": $0] } ?? [:]) { $1 },
        note: alpha == nil ? "each scale by itself" : nil
      )
    }
  }
}
