public import Calibrate
internal import Foundation
public import Models
public import Pipeline
internal import Tensor

/// `quantize.allocate`: chooses a format for each matrix so that the file meets a budget and the
/// next-token distributions move least, and quantizes to it.
///
///     - quantize.allocate: { size: 80MiB }
///     - export.gguf: { path: model.gguf, type: lossless }
///
/// The budget is that of a GGUF file, or of the weights in a folder for other programs, whose
/// matrices are codes in groups:
///
///     - quantize.allocate: { size: 60MB, file: mlx }
///     - export.mlx: { path: model-mlx }
///
/// How much each matrix matters is measured once and kept in the run directory: another budget is
/// solved in seconds. `front.json` in the stage's folder says what other budgets would give.
///
/// Query, key and value of a block get one format, and gate and up. The head's outputs are fitted as
/// those of the layers of blocks; an embedding of its own is rounded to the nearest.
public struct AllocateStage: CalibratedStage {
  /// `quantize.allocate`.
  public static let kind = "quantize.allocate"
  /// What the stage does.
  public static let summary =
    "Chooses a format for each matrix so that the file meets a budget and outputs change least, and "
    + "quantizes to it."
  /// The model that later stages read is quantized.
  public static let effect = StageEffect.changesModel
  /// A line of a recipe.
  public static let example = "quantize.allocate: { size: 80MiB }"

  let options: AllocateOptions

  private static let embedding = "model.embed_tokens"

  /// Creates the stage.
  public init(_ options: AllocateOptions) { self.options = options }

  /// Finds patterns without a match, matrices that no format fits or that the file holds plain, and
  /// those that an earlier stage has quantized, and promises the largest format, as one of several
  /// that it may be.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    let problems =
      options.matrices.check(promise)
      + options.calibration.check(promise, choosesInputs: true)
    guard problems.isEmpty else { return problems }
    let parts = options.matrices.select(from: promise)
    if let misfit = parts.first(where: { options.candidates(columns: $0.shape.columns).isEmpty }) {
      return [
        StageProblem(
          "rows of \(misfit.shape.columns) of `\(misfit.name)` fill no blocks or groups of any of "
            + "these",
          option: "formats"
        )
      ]
    }
    if options.file == .compressedTensors, parts.contains(where: { $0.name == Self.embedding }) {
      return [
        StageProblem(
          "`\(Self.embedding)` stays as it is in a compressed-tensors folder, as loaders expect no "
            + "quantized embedding; leave it out, or choose `file: mlx` or `gguf`",
          option: "targets"
        )
      ]
    }
    let repeated = options.matrices.quantizedBefore(promise)
    guard repeated.isEmpty else { return repeated }
    promise.update(Set(parts.map(\.name))) { part in
      let candidates = options.candidates(columns: part.shape.columns).map(\.format)
      if let largest = candidates.last {
        part.quantize(to: largest, by: Self.kind, candidates: candidates)
      }
      part.sparsity = 0
      part.zeroPattern = nil
    }
    if let limit = options.budget(parameterCount: promise.configuration.parameterCount) {
      let open = promise.parts.filter {
        !$0.possibleFormats.isEmpty && options.matrices.selects($0.name)
      }
      promise.budget = ModelPromise.Budget(
        byteCount: limit.byteCount,
        parts: Set(open.map(\.name))
      )
    }
    return []
  }

  /// The calibration text.
  public var calibration: CalibrationOptions? { options.calibration }

  /// The inputs of the widest layer, if errors are made up for.
  public func unknownCount(_ promise: ModelPromise) -> Int {
    guard options.method == .gptq else { return 0 }
    return options.matrices.select(from: promise).map(\.shape.columns).max() ?? 0
  }

  /// Finds a text that is too short, and a budget that no choice of formats meets, or that all do.
  public func checkInputs(_ promise: ModelPromise, _ setting: StageSetting) -> [StageProblem] {
    let problems = checkText(setting)
    // What the vocabulary cannot express, `export.gguf` says.
    guard let file = try? AllocatedFile(promise, setting.baseline, options),
      let budget = options.budget(parameterCount: file.parameterCount),
      let objection = file.objection(to: budget)
    else { return problems }
    return problems + [StageProblem(objection, option: budget.option)]
  }

  /// Says what is selected, and estimates memory from sizes and the time from operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let parts = options.matrices.select(from: promise)
    let tokens = Double(options.calibration.tokenCount)
    let sample = Double(min(8, options.calibration.sequences) * options.calibration.length)
    let weights = Double(promise.linears.reduce(0) { $0 + $1.shape.count })
    let formats = Double(options.offered.count)
    // Two walks, the gradients with what is computed again, and the choices with their logits.
    var operations = weights * (4 * tokens + 6 * sample)
    operations += Double(promise.parameterCount) * sample * (6 + formats)
    for part in parts {
      let (columns, count) = (Double(part.shape.columns), Double(part.shape.count))
      operations += tokens * columns * columns + (formats * 2 + 10) * count * columns
    }
    let kept = options.calibration.gradientWalkByteCount(
      promise.configuration,
      sequences: min(8, options.calibration.sequences)
    )
    let calibration = options.calibration.fittingByteCount(parts, promise)
    // A block, or the head, is rounded beside the one that there is.
    let trials = promise.largestSection { part in
      guard options.matrices.selects(part.name), part.isLinear else { return 0 }
      let (rows, columns) = (part.shape.rows, part.shape.columns)
      let largest = options.candidates(columns: columns).last
      return largest?.format.byteCount(rows: rows, columns: columns) ?? 0
    }
    var zeros = ZeroNotes()
    for part in parts {
      zeros.add(
        part,
        losing: "formats are chosen without regard to zeros; `quantize.gptq` keeps them"
      )
    }
    return StagePlan(
      matches: options.matrices.matches(in: promise),
      peakByteCount: promise.peakByteCount(making: max(kept, calibration, trials)),
      seconds: operations / 6e10,
      notes: ["which format each matrix gets is found out when the stage runs"]
        + options.matrices.notesOnQuantized(promise) + zeros.notes
    )
  }

  /// Measures sensitivities unless that is done, chooses formats, and quantizes to them.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let set = try options.calibration.load(
      model,
      context,
      unknowns: unknownCount(ModelPromise(model.outline))
    )
    let file = try AllocatedFile(ModelPromise(model.outline), model, options)
    let sensitivities = try sensitivities(model, set, context)
    let allocation = file.allocation(sensitivities)
    let choice = try choice(file, allocation)
    let front = try AllocationFront(file, allocation, sensitivities)
    try front.write(to: context.folder.appending(path: "front.json"))
    for line in front.lines { context.note(line) }
    var tally = AllocationTally(sensitivities)
    try quantize(model, set, choice.targets, context, &tally)
    return tally.report(predictedByteCount: choice.byteCount)
  }

  /// What an earlier run found out of the same model with the same text and formats, or what is
  /// measured now.
  private func sensitivities(
    _ model: LanguageModel,
    _ set: CalibrationSet,
    _ context: StageContext
  ) throws -> Sensitivities {
    let key = Digest.of(
      [
        "sensitivities", ToolVersion.current, try Digest.of(model: context.modelFolder),
        set.digest, options.method.rawValue, options.file.rawValue, options.scaleType.rawValue,
      ]
        // The head is rounded as it will be, which these decide.
        + (options.method == .gptq ? [options.order.rawValue, String(options.damping)] : [])
        + Set(options.offered.map(\.recipeText)).sorted()
        + model.matrices.map(\.name).filter(options.matrices.selects)
    )
    let cache = context.cacheFolder.appending(path: "sensitivities-\(key.prefix(16)).json")
    do {
      if let known = try Sensitivities.cached(cache) {
        context.note("the matrices' sensitivities are known from an earlier run")
        return known
      }
    } catch {
      context.note("\(cache.path) cannot be read and is measured again: \(error)")
    }
    let found = try SensitivityMeasurement(
      model: model,
      set: set,
      options: options,
      context: context
    ).run()
    do {
      try found.write(to: cache)
    } catch {
      context.warn("sensitivities cannot be kept for other budgets: \(RunError.text(error))")
    }
    return found
  }

  /// What each selected matrix becomes, and the size of the file.
  private func choice(
    _ file: AllocatedFile,
    _ allocation: Allocation
  ) throws -> (targets: [String: QuantizationTarget], byteCount: Int) {
    let picked: [Int]
    if let budget = options.budget(parameterCount: file.parameterCount) {
      guard let found = try file.choices(of: allocation, within: budget.byteCount) else {
        throw QuantizeError(
          .outOfReach,
          file.objection(to: budget) ?? "no formats meet the budget",
          layer: budget.option,
          remedy: "raise the budget, or offer smaller formats"
        )
      }
      picked = found
    } else {
      let limit = options.klAtMost ?? 0
      guard let found = allocation.choices(costing: limit) else {
        throw QuantizeError(
          .outOfReach,
          "even the largest formats are predicted to exceed \(limit)",
          layer: "kl_at_most",
          remedy: "allow more, or offer larger formats"
        )
      }
      picked = found
    }
    return (file.targets(picked), try file.byteCount(picked))
  }

  private func quantize(
    _ model: LanguageModel,
    _ set: CalibrationSet,
    _ targets: [String: QuantizationTarget],
    _ context: StageContext,
    _ tally: inout AllocationTally
  ) throws {
    let walk = try options.calibration.walk(
      model,
      set,
      context,
      scratch: context.folder,
      keepsGram: true
    )
    let rounding = options.rounding
    var importance = CollectedImportance(set)
    for index in model.blocks.indices {
      try walk.walkBlock(collecting: .gram) { group in
        importance.add(group.linears, group.statistics)
        try rounding.round(group.linears, group.statistics.gram, &tally.calibrated) { linear in
          targets[linear.name]
        }
      }
      for linear in model.blocks[index].linears { tally.add(linear, targets[linear.name]) }
      try context.finishBlock(index, of: model.blocks.count)
    }
    if targets[model.head.name] != nil {
      let statistics = try walk.observeHead(collecting: .gram)
      if let head = model.untiedHead { importance.add([head], statistics) }
      let inputs = HeadInputs(model, statistics)
      try rounding.round([model.head], inputs.gram, &tally.calibrated) { linear in
        targets[linear.name]
      }
      tally.add(model.head, targets[model.head.name])
    }
    if options.writeImatrix { try importance.write(context) }
    if model.untiedHead != nil, let target = targets[model.embedding.name] {
      let linear = model.embedding
      let byteCount = linear.format.byteCount(rows: linear.rows, columns: linear.columns)
      linear.weight = try target.nearest(
        linear.weight.matrix,
        importance: nil,
        layer: linear.name
      )
      tally.add(linear, target, byteCountBefore: byteCount)
    }
  }
}
