public import Calibrate
public import Models
public import Pipeline
internal import Tensor

/// `quantize.awq`: moves scales between layers so that channels with strong inputs lose least when
/// weights are rounded, and rounds them.
///
/// The scales cost nothing later: what makes a channel is divided by what its readers are
/// multiplied by. They also help another method that rounds:
///
///     - quantize.awq: { bits: 4, group_size: 64, rounding: none }
///     - quantize.gptq: { bits: 4, group_size: 64 }
///
/// Embedding and head have no place in this and are left to `quantize.round_to_nearest`.
public struct AWQStage: CalibratedStage {
  /// `quantize.awq`.
  public static let kind = "quantize.awq"
  /// What the stage does.
  public static let summary =
    "Moves scales between layers so that channels with strong inputs lose least when weights are "
    + "rounded to integer codes, and rounds them (AWQ)."
  /// The model that later stages read is changed.
  public static let effect = StageEffect.changesModel

  private let options: AWQOptions

  /// Creates the stage.
  public init(_ options: AWQOptions) { self.options = options }

  /// Finds patterns without a match, matrices that groups do not divide, a selection of what is not
  /// a layer of a block, and what an earlier stage has quantized.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems = options.selection.check(promise) + options.calibration.check(promise)
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
    let scaled = promise.scalingPairs.filter(scales).flatMap(\.linears)
    promise.update(Set(scaled.map(\.name))) { part in
      if !part.format.isDense { part.format = .elements(.float32) }
    }
    guard options.rounding == .nearest else { return [] }
    let grid = options.grid
    promise.update(Set(parts.map(\.name))) { part in
      part.quantize(to: .groups(grid.format), by: Self.kind)
      // Only a grid with an exact zero keeps what pruning set to zero.
      if grid.zero == .offset {
        part.sparsity = 0
        part.zeroPattern = nil
      }
    }
    return []
  }

  /// Whether a place is scaled: it has a layer to be rounded, and nothing that was quantized
  /// before and is not selected, whose codes would be lost.
  private func scales(_ pair: PlannedPair) -> Bool {
    pair.consumers.contains { options.selection.selects($0.name) }
      && pair.linears.allSatisfy { mayScale($0.name, $0.format) }
  }

  private func mayScale(_ name: String, _ format: WeightFormat) -> Bool {
    format.isDense || options.selection.selects(name)
  }

  /// The calibration text.
  public var calibration: CalibrationOptions? { options.calibration }

  /// Says what is selected, and estimates memory from sizes and the time from operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let parts = options.selection.select(from: promise)
    let tokens = Double(options.calibration.tokenCount)
    let candidates = Double(options.steps * (options.scalesFrom == .both ? 2 : 1) + 2)
    let nanosecondsPerWeight = options.grid.scale == .leastSquares ? 12.0 : 2.0
    var (operations, weights) = (0.0, 0.0)
    for part in promise.linears {
      let passes = options.rounding == .nearest ? 2.0 : 1
      operations += passes * 2 * tokens * Double(part.shape.count)
    }
    for part in parts {
      let columns = Double(part.shape.columns)
      // Gram matrices are shared by two layers on average.
      operations += tokens * columns * columns / 2
      operations += candidates * 2 * Double(part.shape.count) * columns
      weights += Double(part.shape.count)
    }
    return StagePlan(
      matches: options.selection.matches(in: promise),
      peakByteCount: promise.peakByteCount(making: peakByteCount(promise)),
      seconds: operations / 6e10 + candidates * weights * nanosecondsPerWeight * 1e-9,
      notes: notes(promise)
    )
  }

  /// The walk's memory, a block's new weights, and what one search takes.
  private func peakByteCount(_ promise: ModelPromise) -> Int {
    let pairs = promise.scalingPairs
    let search = pairs.map { $0.consumers.reduce(0) { $0 + $1.shape.count } * 3 * 4 }.max() ?? 0
    let grams = promise.largestSection { part in
      part.isLinear && !part.name.hasSuffix("k_proj") && !part.name.hasSuffix("v_proj")
        && !part.name.hasSuffix("up_proj") ? part.shape.columns * part.shape.columns * 8 : 0
    }
    let block = promise.largestSection { part in
      guard part.isLinear else { return 0 }
      return part.format.isDense ? part.byteCount : part.shape.count * 4
    }
    return options.calibration.peakByteCount(promise, collectsGram: false) + grams + search + block
  }

  private func notes(_ promise: ModelPromise) -> [String] {
    var notes: [String] = []
    let pairs = promise.scalingPairs.filter { pair in
      pair.consumers.contains { options.selection.selects($0.name) }
    }
    let unscaled = pairs.count { !scales($0) }
    if unscaled > 0 {
      notes.append(
        "\(Wording.count(unscaled, "place is", "places are")) not scaled, as a layer there is "
          + "quantized already and not selected"
      )
    }
    let quantized = pairs.filter(scales).flatMap(\.linears).filter { !$0.format.isDense }
    let count = Set(quantized.map(\.name)).count
    if count > 0 {
      notes.append(
        options.rounding == .nearest
          ? "\(Wording.count(count, "matrix is", "matrices are")) quantized already and will be "
            + "rounded a second time"
          : "\(Wording.count(count, "matrix is", "matrices are")) quantized already and will be "
            + "float32 afterwards"
      )
    }
    guard options.rounding == .nearest else { return notes }
    var zeros = ZeroNotes()
    for part in options.selection.select(from: promise) {
      zeros.add(part, .groups(options.grid), keepsZeros: true)
    }
    return notes + zeros.notes
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
    let rounds = options.rounding == .nearest
    var tally = ScalingTally()
    for index in model.blocks.indices {
      let byteCounts = Dictionary(
        uniqueKeysWithValues: model.blocks[index].linears.map {
          ($0.name, $0.format.byteCount(rows: $0.rows, columns: $0.columns))
        }
      )
      let groups = try walk.observeBlock(collecting: [.gram, .magnitudes], advancing: !rounds)
      // From the last to the first, so that rows of a layer are scaled before it is rounded.
      for (pair, group) in zip(model.scalingPairs(ofBlock: index), groups).reversed() {
        try scale(pair, group.statistics, byteCounts, &tally)
      }
      if rounds { try walk.passBlock() }
      try context.finishBlock(index, of: model.blocks.count)
    }
    return tally.report(order: model.linears.map(\.name))
  }

  private func method(scales: Bool) -> String {
    switch (options.rounding, scales) {
    case (.nearest, true): "AWQ"
    case (.nearest, false): "nearest"
    case (.none, true): "scales moved"
    case (.none, false): "left alone"
    }
  }

  private func scale(
    _ pair: ScalingPair,
    _ statistics: InputStatistics,
    _ byteCounts: [String: Int],
    _ tally: inout ScalingTally
  ) throws {
    let linears = pair.consumers.filter { options.selection.selects($0.name) }
    guard !linears.isEmpty else { return }
    let scales = pair.linears.allSatisfy { mayScale($0.name, $0.format) }
    let found = try awqScales(
      pair,
      linears,
      statistics,
      grid: options.grid,
      source: scales ? options.scalesFrom : nil,
      steps: options.steps
    )
    let rounded =
      options.rounding == .none
      ? [:]
      : Dictionary(uniqueKeysWithValues: found.layers.map { ($0.linear.name, $0.weight) })
    if scales {
      try pair.applyChecked(found.scales, replacing: rounded)
    } else {
      for linear in linears {
        if let weight = rounded[linear.name] { linear.weight = weight }
      }
    }
    for layer in found.layers {
      tally.add(
        layer.linear,
        byteCountBefore: byteCounts[layer.linear.name] ?? 0,
        values: [
          "nearest_output_error": layer.nearest.relative, "output_error": layer.scaled.relative,
          "power": found.power,
        ],
        method: method(scales: scales),
        note: scales ? (found.usesWeights ? "with weights" : nil) : "not scaled"
      )
    }
  }
}
