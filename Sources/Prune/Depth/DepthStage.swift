public import Calibrate
internal import Foundation
public import Models
public import Pipeline

/// `prune.depth`: removes whole blocks.
///
///     - prune.depth: { blocks: 5 }
///     - prune.depth: { keep: 75%, method: kl, calibration: { sequences: 8 } }
///     - prune.depth: { parameters_at_most: 110M, contiguous: true }
///
/// The result is a plain model with fewer layers: every format and program takes it. It is best
/// trained further afterwards.
///
/// Source: Men et al., *ShortGPT*, 2024, arXiv:2403.03853 (`block_influence`); Gromov et al., *The
/// Unreasonable Ineffectiveness of the Deeper Layers*, 2024, arXiv:2403.17887 (with `contiguous`);
/// Kim et al., *Shortened LLaMA*, 2024, arXiv:2402.02834 (`perplexity`, there without the greedy
/// choice). Differs from them as ``DepthOptions`` lets it: ends are protected by default.
public struct DepthStage: CalibratedStage {
  /// `prune.depth`.
  public static let kind = "prune.depth"
  /// What the stage does.
  public static let summary = "Removes the blocks that matter least, whole."
  /// The model that later stages read has fewer blocks.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example = "prune.depth: { blocks: 5, method: block_influence }"

  private let options: DepthOptions

  /// Creates the stage.
  public init(_ options: DepthOptions) { self.options = options }

  private var measures: Bool { options.layers.isEmpty }

  /// Finds blocks that are not there and numbers that leave nothing; promises fewer blocks.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems = options.problems()
    guard problems.isEmpty else { return problems }
    if measures { problems += options.calibration.check(promise) }
    switch options.removalCount(promise.configuration) {
    case .failure(let objection): problems.append(objection.problem)
    case .success(let count):
      guard problems.isEmpty else { break }
      let total = promise.configuration.layerCount
      // Which blocks remain is not known yet.
      let remaining =
        measures
        ? Array(0..<total - count) : (0..<total).filter { !options.layers.contains($0) }
      promise.reduce(
        to: promise.configuration.reduced(layerCount: total - count),
        blocks: remaining
      )
    }
    return problems
  }

  /// The calibration text, if blocks are measured.
  public var calibration: CalibrationOptions? { measures ? options.calibration : nil }

  /// Says how many blocks go and what remains, and estimates how long measuring takes.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    guard case .success(let count) = options.removalCount(promise.configuration) else {
      return StagePlan()
    }
    let configuration = promise.configuration
    let total = configuration.layerCount
    let smaller = configuration.reduced(layerCount: total - count)
    let free = options.protect.candidates(of: total).count
    let passes: Double
    switch options.method {
    case _ where !measures: passes = 0
    case .blockInfluence: passes = 1
    case .perplexity, .kl:
      let rounds = options.contiguous || !options.greedy ? 1 : count
      passes = Double(rounds) * (1 + 0.5 * Double(free))
    }
    let tokens = options.calibration.tokenCount
    let streams = (total + free + 2) * options.calibration.length * configuration.hiddenSize * 4
    return StagePlan(
      peakByteCount: promise.peakByteCount(making: measures ? streams + 100_000_000 : 0),
      seconds: forwardSeconds(promise, tokens: tokens) * passes
        + Double(promise.byteCount) * 1e-9,
      notes: [
        "removes \(Wording.count(count, "block", "blocks")) of \(total); "
          + "\(smaller.parameterCount) of \(configuration.parameterCount) weights remain"
      ]
    )
  }

  /// Chooses blocks, and stores the others.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let count: Int
    switch options.removalCount(model.configuration) {
    case .success(let number): count = number
    case .failure(let objection):
      throw PruneError(
        .impossible,
        objection.problem.message,
        at: objection.problem.option ?? Self.kind,
        remedy: "choose another number"
      )
    }
    let choice: DepthChoice
    if measures {
      let set = try options.calibration.load(model, context)
      choice = try options.choose(count, model, set, context)
    } else {
      choice = DepthChoice(removed: options.layers.sorted())
    }
    var structure = RemainingStructure(model.configuration)
    structure.blocks.removeAll { choice.removed.contains($0) }
    let smaller = model.reduced(to: structure)
    context.replaceModel(by: smaller)
    for block in smaller.blocks {
      try context.finishBlock(block.index, of: smaller.blocks.count)
    }
    return report(choice, model, smaller)
  }

  private func report(
    _ choice: DepthChoice,
    _ model: LanguageModel,
    _ smaller: LanguageModel
  ) -> StageReport {
    let candidates = options.protect.candidates(of: model.blocks.count)
    var metrics = choice.metrics
    metrics.merge(sizeMetrics(model.configuration, smaller.configuration)) { $1 }
    return StageReport(
      metrics: metrics,
      layers: model.blocks.indices.map { block in
        let isRemoved = choice.removed.contains(block)
        let isProtected = measures && !candidates.contains(block)
        return StageReport.Layer(
          "model.layers.\(block)",
          choice.scores[block] ?? [:],
          note: isRemoved ? "removed" : isProtected ? "protected" : nil
        )
      }
    )
  }
}
