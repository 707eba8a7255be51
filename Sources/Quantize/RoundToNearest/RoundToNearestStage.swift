public import Models
public import Pipeline
internal import Tensor

/// The options of `quantize.round_to_nearest`.
public struct RoundToNearestOptions: StageOptions {
  /// Which layers.
  public var selection = WeightSelection()
  /// To what.
  public var grid = Grid()

  /// Creates the default options: every layer of the blocks, 4 bits in groups of 32.
  public init() {}

  /// The grid's options, then `targets` and `exclude`.
  public static var fields: [Field<RoundToNearestOptions>] {
    Field.fields(of: \.grid) + Field.fields(of: \.selection)
  }
}

/// `quantize.round_to_nearest`: rounds weights to integer codes without calibration data.
///
/// Embedding and head are left alone unless targeted; a stage of its own gives them a grid of
/// their own:
///
///     - quantize.round_to_nearest: { bits: 4, group_size: 32 }
///     - quantize.round_to_nearest: { bits: 8, group_size: 32, targets: model.embed_tokens }
///
/// Where head and embedding are one matrix, quantizing `model.embed_tokens` quantizes both.
public struct RoundToNearestStage: Stage {
  /// `quantize.round_to_nearest`.
  public static let kind = "quantize.round_to_nearest"
  /// What the stage does.
  public static let summary =
    "Rounds weights to integer codes with a scale per group, without calibration data."
  /// The model that later stages read is quantized.
  public static let effect = StageEffect.changesModel

  private let options: RoundToNearestOptions

  /// Creates the stage.
  public init(_ options: RoundToNearestOptions) { self.options = options }

  /// Finds patterns without a match, matrices that groups do not divide, and those that an earlier
  /// stage has quantized.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    let problems = options.selection.check(promise)
    guard problems.isEmpty else { return problems }
    let parts = options.selection.select(from: promise)
    if let objection = options.grid.objection(to: parts) {
      return [StageProblem(objection, option: "group_size")]
    }
    let repeated = options.selection.quantizedBefore(promise)
    guard repeated.isEmpty else { return repeated }
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

  /// Says what is selected, and estimates memory from sizes and the time from measured speeds.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let parts = options.selection.select(from: promise)
    let count = parts.reduce(0) { $0 + $1.shape.count }
    var notes = options.selection.notesOnQuantized(promise)
    var zeros = ZeroNotes()
    for part in parts { zeros.add(part, .groups(options.grid), keepsZeros: true) }
    notes += zeros.notes
    let nanosecondsPerWeight = options.grid.scale == .leastSquares ? 10.0 : 1.0
    // Rows are widened one a thread; codes and scales stay until their block is stored.
    let format = WeightFormat.groups(options.grid.format)
    let codes = promise.largestSection { part in
      guard part.isLinear, options.selection.selects(part.name) else { return 0 }
      return format.byteCount(rows: part.shape.rows, columns: part.shape.columns)
    }
    return StagePlan(
      matches: options.selection.matches(in: promise),
      peakByteCount: promise.peakByteCount(making: codes),
      seconds: Double(count) * nanosecondsPerWeight * 1e-9,
      notes: notes
    )
  }

  /// Quantizes matrix after matrix, storing each block when it is complete.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    var tally = QuantizationTally()
    for (index, section) in model.sections.enumerated() {
      for linear in section.matrices where options.selection.selects(linear.name) {
        let byteCount = linear.format.byteCount(rows: linear.rows, columns: linear.columns)
        let rounded = try roundToNearest(
          linear.weight.matrix,
          grid: options.grid,
          layer: linear.name
        )
        linear.weight = rounded.weight
        tally.add(linear.name, rounded, byteCountBefore: byteCount, method: "nearest")
      }
      if case .block = section { try context.finishBlock(index, of: model.blocks.count) }
    }
    return tally.report
  }
}
