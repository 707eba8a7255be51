public import Calibrate
public import Models
public import Pipeline
internal import Tensor

/// `quantize.round`: learns for every weight whether it is rounded up or down, so that the outputs
/// of blocks on a calibration text stay as near as they can.
///
///     - quantize.round: { bits: 4, group_size: 32, iterations: 200 }
///
/// One block is in memory at a time, with its codes' moves in float32. Embedding and head are left
/// to `quantize.round_to_nearest`.
public struct LearnedRoundingStage: CalibratedStage {
  /// `quantize.round`.
  public static let kind = "quantize.round"
  /// What the stage does.
  public static let summary =
    "Learns how weights are rounded to integer codes, block by block on a calibration text, by "
    + "signed gradient descent (AutoRound)."
  /// The model that later stages read is quantized.
  public static let effect = StageEffect.changesModel

  private let options: LearnedRoundingOptions

  /// Creates the stage.
  public init(_ options: LearnedRoundingOptions) { self.options = options }

  /// Finds patterns without a match, matrices that groups do not divide, a selection of what is not
  /// a layer of a block, and what an earlier stage has quantized.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems =
      options.selection.check(promise)
      + options.calibration.check(promise, choosesInputs: true)
    guard problems.isEmpty else { return problems }
    let parts = options.selection.select(from: promise)
    problems += options.selection.outsideBlocks(
      promise,
      remedy: "quantize it by `quantize.round_to_nearest`"
    )
    if let objection = options.grid.objection(to: parts) {
      problems.append(StageProblem(objection, option: "group_size"))
    }
    problems += options.selection.quantizedBefore(promise)
    guard problems.isEmpty else { return problems }
    let grid = options.grid
    promise.update(Set(parts.map(\.name))) { part in
      part.quantize(to: .groups(grid.format), by: Self.kind)
      // A weight that was zero may be rounded away from it.
      part.sparsity = 0
      part.zeroPattern = nil
    }
    return []
  }

  /// The calibration text.
  public var calibration: CalibrationOptions? { options.calibration }

  /// Says what is selected, and estimates memory from sizes and the time from operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let parts = options.selection.select(from: promise)
    let weights = promise.linears.reduce(0) { $0 + $1.shape.count }
    let tokens = options.calibration.tokenCount
    let steps = options.iterations * min(options.batch, options.calibration.sequences)
    // Steps go forward and twice back; measurements and the walk go forward over everything.
    let passes = 3 * steps * options.calibration.length + 7 * tokens
    let model = promise.configuration
    let kept = tokens * model.hiddenSize * 4 * 2
    let moved = promise.largestSection { options.selection.selects($0.name) ? $0.shape.count : 0 }
    let activations =
      options.batch * options.calibration.length * 4
      * (8 * model.hiddenSize + 6 * model.feedForwardSize)
    var zeros = ZeroNotes()
    for part in parts {
      zeros.add(part, losing: "learned rounding may move a weight away from zero")
    }
    return StagePlan(
      matches: options.selection.matches(in: promise),
      peakByteCount: promise.peakByteCount(
        making: min(kept, options.calibration.memory.byteCount) + 12 * moved + activations
      ),
      seconds: 2 * Double(passes) * Double(weights) / 6e10,
      notes: ["\(parts.reduce(0) { $0 + $1.shape.count }) weights are moved, a block's at a time"]
        + options.selection.notesOnQuantized(promise) + zeros.notes
    )
  }

  /// Walks through the model, storing each block when it is complete.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let set = try options.calibration.load(model, context)
    let walk = try options.calibration.walk(
      model,
      set,
      context,
      scratch: context.folder,
      followsOriginal: options.target == .original
    )
    var tally = QuantizationTally()
    var errors: [StageReport.Layer] = []
    for block in model.blocks {
      try walk.walkWholeBlock { whole in
        let linears = block.linears.filter { options.selection.selects($0.name) }
        guard !linears.isEmpty else { return }
        let result = try learn(whole, linears, &tally, seed: context.seed &+ UInt64(block.index))
        errors.append(
          StageReport.Layer(
            "model.layers.\(block.index)",
            ["nearest_output_error": result.nearest, "output_error": result.learned],
            note: result.learned < result.nearest ? nil : "rounded to the nearest: none was better"
          )
        )
      }
      try context.finishBlock(block.index, of: model.blocks.count)
    }
    var report = tally.report
    for name in ["nearest_output_error", "output_error"] {
      let sum = errors.reduce(0) { $0 + ($1.values[name] ?? 0) }
      report.metrics[name] = sum / Double(max(1, errors.count))
    }
    report.layers += errors
    return report
  }

  private func learn(
    _ block: WholeBlock,
    _ linears: [Linear],
    _ tally: inout QuantizationTally,
    seed: UInt64
  ) throws -> BlockRounding.Result {
    let starts = try linears.map {
      try roundToNearest($0.weight.matrix, grid: options.grid, layer: $0.name)
    }
    let sizes = linears.map { $0.format.byteCount(rows: $0.rows, columns: $0.columns) }
    let weights = zip(linears, starts).map { TunedWeight($0, roundedTo: $1.weight) }
    for weight in weights { weight.begin() }
    let result: BlockRounding.Result
    do {
      result = try BlockRounding(block: block, weights: weights, options: options, seed: seed).run()
    } catch {
      for weight in weights { weight.cancel() }
      throw error
    }
    for (index, weight) in weights.enumerated() {
      let matrix = weight.linear.weight.matrix
      weight.finish()
      let error = (matrix.widened() - weight.linear.weight.dense).sumOfSquares()
      guard error.isFinite, let learned = weight.linear.weight as? GroupQuantizedWeight else {
        throw QuantizeError(
          .notFinite,
          "a scale is too large for its type",
          layer: weight.linear.name,
          remedy: "use `scale_type: float32`"
        )
      }
      tally.add(
        weight.linear.name,
        RoundedWeight(
          weight: learned,
          squaredError: error,
          squaredNorm: starts[index].squaredNorm
        ),
        byteCountBefore: sizes[index],
        method: "learned rounding"
      )
    }
    return result
  }
}
