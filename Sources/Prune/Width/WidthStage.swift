public import Calibrate
internal import Foundation
public import Models
public import Pipeline
internal import Tensor

/// `prune.width`: makes layers narrower.
///
///     - prune.width: { feed_forward: 0.75 }
///     - prune.width: { heads: 6, feed_forward: 1024, importance: taylor }
///     - prune.width: { parameters_at_most: 100M, axes: [feed_forward, heads, hidden], multiple: 64 }
///
/// Neurons, heads and channels that matter least are removed from every matrix that has them. The
/// result is a plain model with narrower layers: every format and program takes it. Without
/// further training, neurons can be spared most easily, heads less, and channels of the residual
/// stream least.
///
/// Source: Muralidharan et al., *Compact Language Models via Pruning and Knowledge Distillation*
/// (Minitron), 2024, arXiv:2407.14679; the compensation is that of Frantar and Alistarh, *Optimal
/// Brain Compression*, 2022, arXiv:2208.11580, for all removed inputs at once.
public struct WidthStage: CalibratedStage {
  /// `prune.width`.
  public static let kind = "prune.width"
  /// What the stage does.
  public static let summary =
    "Makes layers narrower: removes neurons, heads or channels that matter least."
  /// The model that later stages read is narrower.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example = "prune.width: { feed_forward: 0.75, importance: contribution }"

  private let options: WidthOptions

  /// Creates the stage.
  public init(_ options: WidthOptions) { self.options = options }

  private var needsText: Bool {
    options.importance != .magnitude || options.compensate || options.parametersAtMost != nil
  }

  /// Finds sizes that remove nothing or everything; promises the narrower model.
  ///
  /// With `parameters_at_most` it promises what removing evenly would leave: the sizes themselves
  /// follow from measurements.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems = options.problems()
    guard problems.isEmpty else { return problems }
    if needsText { problems += options.calibration.check(promise) }
    let configuration = promise.configuration
    var (sizes, found) = options.namedSizes(configuration)
    problems += found
    if let limit = options.parametersAtMost {
      if limit.count >= configuration.parameterCount {
        problems.append(
          StageProblem(
            "the model has \(configuration.parameterCount) weights: nothing would be removed",
            option: "parameters_at_most"
          )
        )
      } else {
        sizes = options.split(configuration, limit: limit.count, evenly)
        let least = sizes.applied(to: configuration).parameterCount
        if least > limit.count { problems.append(options.unreachable(least: least)) }
      }
    }
    guard problems.isEmpty else { return problems }
    promise.reduce(
      to: sizes.applied(to: configuration),
      blocks: Array(0..<configuration.layerCount)
    )
    options.fillZeros(&promise)
    return []
  }

  /// Sensitivities that are alike, for a promise.
  private var evenly: [WidthAxis: WidthSensitivity] {
    Dictionary(
      options.axes.map { ($0, WidthSensitivity(fraction: 0.25, rise: 1)) },
      uniquingKeysWith: { first, _ in first }
    )
  }

  /// The calibration text, if one is read.
  public var calibration: CalibrationOptions? { needsText ? options.calibration : nil }

  /// The inputs of the widest layer, where layers are fitted again.
  public func unknownCount(_ promise: ModelPromise) -> Int {
    options.compensate ? promise.linears.map(\.shape.columns).max() ?? 0 : 0
  }

  /// Says which sizes remain, and estimates time and memory.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let configuration = promise.configuration
    var smaller = promise
    guard check(&smaller).isEmpty else { return StagePlan() }
    let changed = sizeMetrics(configuration, smaller.configuration)
    var notes: [String] = []
    if options.parametersAtMost != nil {
      notes.append("sizes are decided when sensitivities have been measured")
    } else {
      let names = ["feed_forward", "query_heads", "key_heads", "hidden"]
      let sizes = names.compactMap { name in
        changed["\(name)_after"].flatMap { after in
          changed["\(name)_before"].map { "\(name) \(Int($0)) → \(Int(after))" }
        }
      }
      notes.append(
        "\(sizes.joined(separator: ", ")); \(smaller.configuration.parameterCount) of "
          + "\(configuration.parameterCount) weights remain"
      )
    }
    notes += options.zeroNotes(promise, narrower: smaller)
    let widths = [smaller.configuration.feedForwardSize, smaller.configuration.hiddenSize]
    if let odd = widths.first(where: { $0 % 256 != 0 }), options.parametersAtMost == nil {
      notes.append(
        "GGUF's K-quants need rows of a multiple of 256, which \(odd) is not; `multiple: 256` helps"
      )
    }
    let pass = forwardSeconds(promise, tokens: options.calibration.tokenCount)
    var seconds = Double(promise.byteCount) * 1e-9
    switch options.importance {
    case .activation, .contribution: seconds += 1.3 * pass
    case .taylor: seconds += 4 * pass
    case .magnitude: seconds += Double(promise.parameterCount) * 2e-9
    }
    if options.compensate { seconds += 3 * pass }
    if options.parametersAtMost != nil {
      let share =
        Double(min(8, options.calibration.sequences)) / Double(options.calibration.sequences)
      seconds += Double(options.axes.count + 1) * share * pass
    }
    let gradients =
      options.importance == .taylor
      ? options.calibration.gradientWalkByteCount(
        configuration,
        sequences: options.calibration.sequences
      ) + promise.parameterCount / configuration.layerCount / 3 * 8 : 0
    let walk =
      needsText ? options.calibration.peakByteCount(promise, collectsGram: options.compensate) : 0
    return StagePlan(
      peakByteCount: promise.peakByteCount(making: max(gradients, walk)),
      seconds: seconds,
      notes: notes
    )
  }

  /// Scores channels, chooses sizes, and stores the narrower model block by block.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    // The last block's outputs are in no score.
    try requireFiniteWeights(model)
    let set = try calibration?.load(
      model,
      context,
      unknowns: unknownCount(ModelPromise(model.outline))
    )
    let scores = try score(model, set, context)
    try scores.requireFinite(model)
    var metrics: [String: Double] = [:]
    var sizes = options.namedSizes(model.configuration).sizes
    if let limit = options.parametersAtMost, let set {
      let measured = try options.sensitivities(model, scores, set, context)
      metrics["calibration_loss_before"] = measured.loss
      for (axis, sensitivity) in measured.axes {
        metrics["\(axis.rawValue)_sensitivity"] = sensitivity.rise
      }
      sizes = options.split(model.configuration, limit: limit.count, measured.axes)
      let least = sizes.applied(to: model.configuration).parameterCount
      guard least <= limit.count else {
        throw PruneError(
          .impossible,
          "at least \(least) weights remain",
          at: "parameters_at_most",
          remedy: "ask for so many, or name more `axes`"
        )
      }
    }
    let structure = scores.structure(model.configuration, sizes)
    let smaller = model.reduced(to: structure)
    context.replaceModel(by: smaller)
    var report = StageReport(metrics: metrics)
    report.metrics.merge(sizeMetrics(model.configuration, smaller.configuration)) { $1 }
    if structure.channels[.hidden] != nil {
      report.metrics["hidden_importance_kept"] = scores.share(.hidden, structure)
    }
    var walk: BlockWalk?
    let blockChannels = structure.channels.keys.contains { $0.block != nil }
    if let set, options.compensate, blockChannels {
      walk = try BlockWalk(
        model,
        set,
        memoryByteCount: options.calibration.memory.byteCount,
        scratch: context.stateFolder
      )
    }
    for block in model.blocks {
      var errors: [String: [String: Double]] = [:]
      let restore = try walk.map { try compensated(block, structure, $0, &errors) }
      try context.finishBlock(block.index, of: model.blocks.count)
      restore?()
      report.layers += rows(block, scores, structure, errors)
    }
    return report
  }

  private func score(
    _ model: LanguageModel,
    _ set: CalibrationSet?,
    _ context: StageContext
  ) throws -> ChannelScores {
    let count = model.blocks.count
    switch (options.importance, set) {
    case (.magnitude, _), (_, nil): return ChannelScores.magnitudes(model)
    case (.taylor, let set?):
      // A model of its own, so that the one that is pruned keeps its weights in their files.
      let trained = try ModelLoader.load(context.modelFolder)
      return try ChannelScores.gradients(
        trained,
        set,
        memoryByteCount: options.calibration.memory.byteCount,
        scratch: context.stateFolder
      ) {
        context.progress($0, of: count, unit: "blocks", "computing gradients")
      }
    case (.activation, let set?), (.contribution, let set?):
      let walk = try BlockWalk(
        model,
        set,
        memoryByteCount: options.calibration.memory.byteCount,
        scratch: context.stateFolder
      )
      return try ChannelScores.activations(
        walk,
        weighsUse: options.importance == .contribution
      ) {
        context.progress($0 + 1, of: count, unit: "blocks", "scoring channels")
      }
    }
  }

  /// Walks through a block, and gives its projections the refitted weights until they are restored.
  ///
  /// Removed channels are zero for the rest of the walk, so that later blocks are refitted to the
  /// inputs they will have.
  private func compensated(
    _ block: DecoderBlock,
    _ structure: RemainingStructure,
    _ walk: BlockWalk,
    _ errors: inout [String: [String: Double]]
  ) throws -> () -> Void {
    let configuration = structure.original
    let queries = configuration.queryHeads / configuration.keyHeads * configuration.headSize
    let neurons = structure.channels[.feedForward(block: block.index)]
    let heads = structure.channels[.keyGroups(block: block.index)].map { groups in
      groups.flatMap { $0 * queries..<($0 + 1) * queries }
    }
    var originals: [(Linear, any LinearWeight)] = []
    try walk.walkBlock(collecting: .gram) { group in
      let linear = group.linears[0]
      let kept =
        linear === block.feedForward.down
        ? neurons : linear === block.attention.output ? heads : nil
      guard let kept, let gram = group.statistics.gram else { return }
      let refitted = try compensate(
        linear.weight.dense,
        gram: gram,
        kept: kept,
        damping: options.damping,
        layer: linear.name
      )
      originals.append((linear, linear.weight))
      errors[linear.name] = [
        "error_uncompensated": refitted.errorBefore, "output_error": refitted.errorAfter,
      ]
      linear.weight = DenseWeight(refitted.weight.converted(to: linear.elementType))
    }
    return {
      for (linear, weight) in originals { linear.weight = weight }
      block.release()
    }
  }

  private func rows(
    _ block: DecoderBlock,
    _ scores: ChannelScores,
    _ structure: RemainingStructure,
    _ errors: [String: [String: Double]]
  ) -> [StageReport.Layer] {
    let projections: [(Linear, CoupledChannels.Axis)] = [
      (block.attention.output, .keyGroups(block: block.index)),
      (block.feedForward.down, .feedForward(block: block.index)),
    ]
    return projections.compactMap { linear, axis in
      guard structure.channels[axis] != nil else { return nil }
      var values = errors[linear.name] ?? [:]
      values["importance_kept"] = scores.share(axis, structure)
      return StageReport.Layer(linear.name, values)
    }
  }
}
