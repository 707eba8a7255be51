public import Calibrate
public import Models
public import Pipeline
internal import Sparsity
internal import Tensor

/// `quantize.gptq`: rounds weights to integer codes so that the layers' outputs on a calibration
/// text stay as near as they can.
///
/// Each layer is fitted to the inputs that the layers before it give once they are quantized:
///
///     - quantize.gptq: { bits: 4, group_size: 32, calibration: { text: train.txt } }
///
/// What pruning has set to zero stays zero, so that `export.compressed_tensors: { sparse: bitmask }`
/// stores less:
///
///     - prune.wanda: { sparsity: 0.5 }
///     - quantize.gptq: { bits: 4, group_size: 32 }
///
/// The head is quantized if it is selected; in a model whose head is the embedding too, both uses of
/// the matrix are weighed. An embedding of its own is left to `quantize.round_to_nearest`.
public struct GPTQStage: CalibratedStage {
  /// `quantize.gptq`.
  public static let kind = "quantize.gptq"
  /// What the stage does.
  public static let summary =
    "Rounds weights to integer codes so that the outputs of layers on a calibration text stay as "
    + "near as they can (GPTQ)."
  /// The model that later stages read is quantized.
  public static let effect = StageEffect.changesModel

  private let options: GPTQOptions

  private static let embedding = "model.embed_tokens"

  /// Creates the stage.
  public init(_ options: GPTQOptions) { self.options = options }

  /// Finds patterns without a match, matrices that groups do not divide, a selected embedding that
  /// is not the head too, and what an earlier stage has quantized.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems =
      options.selection.check(promise)
      + options.calibration.check(promise, choosesInputs: true)
    guard problems.isEmpty else { return problems }
    let parts = options.selection.select(from: promise)
    let configuration = promise.configuration
    if !configuration.tiesEmbeddings, options.selection.selects(Self.embedding) {
      problems.append(
        StageProblem(
          "`\(Self.embedding)` multiplies nothing, so that no input can be measured; quantize it by "
            + "`quantize.round_to_nearest`",
          option: "targets"
        )
      )
    }
    if options.type == nil {
      if let objection = options.grid.objection(to: parts) {
        problems.append(StageProblem(objection, option: "group_size"))
      }
    } else if let misfit = parts.first(where: { target($0.name, $0.shape, configuration) == nil }) {
      problems.append(
        StageProblem(
          "rows of \(misfit.shape.columns) of `\(misfit.name)` fill no blocks of that type",
          option: "type"
        )
      )
    }
    problems += options.selection.quantizedBefore(promise)
    guard problems.isEmpty else { return problems }
    promise.update(Set(parts.map(\.name))) { part in
      let target = target(part.name, part.shape, configuration)
      // Corrections fill what pruning had emptied, unless it is held.
      let holds = options.keepZeros && target?.hasExactZero == true
      if !holds || !PrunedMatrix.isPromised(part) {
        part.sparsity = 0
        part.zeroPattern = nil
      }
      if let target { part.quantize(to: target.format, by: Self.kind) }
    }
    return []
  }

  /// The calibration text.
  public var calibration: CalibrationOptions? { options.calibration }

  /// The inputs of the widest layer.
  public func unknownCount(_ promise: ModelPromise) -> Int {
    options.selection.select(from: promise).map(\.shape.columns).max() ?? 0
  }

  /// Says what is selected, and estimates memory from sizes and the time from operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let parts = options.selection.select(from: promise)
    let tokens = Double(options.calibration.tokenCount)
    var operations = 0.0
    for part in promise.linears {
      operations += 2 * tokens * Double(part.shape.count)
    }
    for part in parts {
      let columns = Double(part.shape.columns)
      // Gram matrices are shared by two layers on average; the walk and both error measures.
      operations += tokens * columns * columns / 2 + 10 * Double(part.shape.count) * columns
    }
    var notes = options.selection.notesOnQuantized(promise)
    var zeros = ZeroNotes()
    for part in parts {
      let target = target(part.name, part.shape, promise.configuration)
      zeros.add(part, target, keepsZeros: options.keepZeros)
    }
    notes += zeros.notes
    return StagePlan(
      matches: options.selection.matches(in: promise),
      peakByteCount: promise.peakByteCount(
        making: options.calibration.fittingByteCount(parts, promise)
      ),
      seconds: operations / 6e10,
      notes: notes
    )
  }

  /// Walks through the model, storing each block when it is complete.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let set = try options.calibration.load(
      model,
      context,
      unknowns: unknownCount(ModelPromise(model.outline))
    )
    let walk = try options.calibration.walk(
      model,
      set,
      context,
      scratch: context.folder,
      keepsGram: true
    )
    let rounding = CalibratedRounding(
      keepsZeros: options.keepZeros,
      order: options.order,
      damping: options.damping
    )
    var tally = CalibratedTally()
    var importance = CollectedImportance(set)
    for index in model.blocks.indices {
      try walk.walkBlock(collecting: .gram) { group in
        importance.add(group.linears, group.statistics)
        try rounding.round(
          group.linears.filter { options.selection.selects($0.name) },
          group.statistics.gram,
          &tally
        ) { linear in
          target(linear.name, [linear.rows, linear.columns], model.configuration)
        }
      }
      try context.finishBlock(index, of: model.blocks.count)
    }
    if options.selection.selects(model.head.name) {
      let statistics = try walk.observeHead(collecting: .gram)
      if let head = model.untiedHead { importance.add([head], statistics) }
      let inputs = HeadInputs(model, statistics)
      try rounding.round([model.head], inputs.gram, &tally) { head in
        target(head.name, [head.rows, head.columns], model.configuration)
      }
    }
    if options.writeImatrix { try importance.write(context) }
    return tally.report
  }

  /// What a matrix is rounded to; nil if its rows fill no blocks.
  private func target(
    _ name: String,
    _ shape: Shape,
    _ configuration: ModelConfiguration
  ) -> QuantizationTarget? {
    guard let type = options.type else { return .groups(options.grid) }
    return type.format(for: name, columns: shape.columns, in: configuration).map { .blocks($0) }
  }
}
