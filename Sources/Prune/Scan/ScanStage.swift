public import Calibrate
internal import Foundation
public import Models
public import Pipeline
internal import Sparsity
internal import Tensor

/// `prune.scan`: measures how much each block, or each layer, suffers from zeros.
///
///     - prune.scan: { sparsities: [0.3, 0.5, 0.7], by: block, sequences: 4 }
///
/// Each candidate alone has its least weights set to zero. On a sample of text the stage measures
/// the divergence of the model's predictions from what they were and by what factor the perplexity
/// rises. The model stays as it is. What a candidate does alone does not add up: later layers work
/// on what pruned ones give them.
///
/// Source for looking at one layer at a time: Han et al., *Learning both Weights and Connections
/// for Efficient Neural Networks*, 2015, arXiv:1506.02626, section 4.1 and figure 6, there by
/// accuracy.
public struct ScanStage: CalibratedStage {
  /// `prune.scan`.
  public static let kind = "prune.scan"
  /// What the stage does.
  public static let summary =
    "Measures how much the predictions change when one block, or layer, is pruned; the model stays."
  /// Only numbers are reported.
  public static let effect = StageEffect.measures
  /// The stage as a line of a recipe.
  public static let example = "prune.scan: { sparsities: [0.3, 0.5, 0.7], by: block, sequences: 4 }"

  private let options: ScanOptions

  /// Creates the stage.
  public init(_ options: ScanOptions) { self.options = options }

  /// Finds patterns without a match, matrices that a pattern does not divide and sequences that are
  /// too long.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems = options.problems() + options.selection.check(promise)
    guard problems.isEmpty else { return problems }
    problems = options.selection.outsideBlocks(promise, remedy: "only these are scanned")
    let parts = options.selection.select(from: promise)
    if let objection = options.pattern.objection(to: parts) {
      problems.append(StageProblem(objection, option: "pattern"))
    }
    let calibration = options.calibration
    problems += calibration.check(promise).map { StageProblem($0.message, option: "length") }
    return problems
  }

  /// The calibration text.
  public var calibration: CalibrationOptions? { options.calibration }

  /// `text`, as the stage has no other options of the kind.
  public static var calibrationText: String { "text" }

  /// None: nothing is fitted.
  public var fittedTexts: [FittedText] { [] }

  /// Says what is scanned, and estimates time and memory.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    let parts = options.selection.select(from: promise)
    let configuration = promise.configuration
    let blocks = Set(parts.map { $0.name.split(separator: ".").prefix(3) }).count
    let candidates = (options.by == .block ? blocks : parts.count) * options.fractions.count
    let tokens = options.calibration.tokenCount
    let head = configuration.vocabularySize * configuration.hiddenSize
    let rest = promise.linears.reduce(0) { $0 + $1.shape.count }
    // On average half of the blocks follow a candidate.
    let operations = Double(candidates) * Double(tokens) * 2 * (Double(rest) / 2 + Double(head))
    let zeroing = Double(parts.reduce(0) { $0 + $1.shape.count } * options.fractions.count) * 1e-8
    let largest = promise.largestSection { options.selection.selects($0.name) ? $0.shape.count : 0 }
    let states = tokens * configuration.hiddenSize * 4
    return StagePlan(
      matches: options.selection.matches(in: promise),
      peakByteCount: promise.peakByteCount(making: 4 * largest + 3 * states + 100_000_000),
      seconds: operations / 80e9 + zeroing,
      notes: [
        "measures \(Wording.count(candidates, "pruned version", "pruned versions")) of the model "
          + "on \(tokens) tokens"
      ]
    )
  }

  /// Measures candidate after candidate, block by block.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let set = try options.calibration.load(model, context)
    let scan = SparsityScan(model, set, options)
    return try scan.run { done, name in
      context.progress(done, of: model.blocks.count, unit: "blocks", name)
    }
  }
}

/// The measurement of what zeros in one place do to a model's predictions.
struct SparsityScan {
  private let model: LanguageModel
  private let set: CalibrationSet
  private let options: ScanOptions

  init(_ model: LanguageModel, _ set: CalibrationSet, _ options: ScanOptions) {
    (self.model, self.set, self.options) = (model, set, options)
  }

  /// Measures every candidate.
  ///
  /// What comes before a block is computed once for all its candidates. Masks are made once for
  /// each candidate and fraction.
  ///
  /// - Parameter progress: Told how many blocks are done, and what is being measured.
  /// - Returns: A row for each candidate, and what the worst of them are.
  /// - Throws: ``PruneError`` if a weight or a loss is not finite.
  func run(_ progress: (_ done: Int, _ name: String) -> Void) throws -> StageReport {
    let sequences = set.sequences
    var streams = sequences.map { model.embedded($0, rows: 1) }
    let reference = streams.map { states(after: $0, from: 0) }
    let whole = zip(sequences, reference).reduce(into: PredictionSums()) { sums, pair in
      sums.add(
        Prune.predictions([pair.1], head: model.head, sequence: pair.0)[0]
      )
    }
    guard whole.isFinite else { throw notFinite("the loss", at: set.name, model) }
    var report = StageReport()
    report.metrics["perplexity"] = exp(whole.meanLoss)
    report.metrics["tokens"] = Double(whole.count)
    for block in model.blocks {
      for candidate in candidates(of: block) {
        progress(block.index, candidate.name)
        var values: [String: Double] = [:]
        for fraction in options.fractions {
          let sums = try measure(candidate.linears, block.index, fraction, streams, reference)
          guard sums.isFinite else {
            throw notFinite("the loss with its zeros", at: candidate.name, model)
          }
          let key = Self.key(fraction)
          values["kl_\(key)"] = max(0, sums.meanDivergence)
          values["perplexity_ratio_\(key)"] = exp(sums.meanLoss - whole.meanLoss)
        }
        report.layers.append(StageReport.Layer(candidate.name, values))
      }
      for index in streams.indices {
        streams[index] = model.stream(streams[index], afterBlock: block.index, documentStarts: nil)
      }
      block.release()
      progress(block.index + 1, "")
    }
    summarize(&report)
    return report
  }

  /// What is pruned together, with the name of its row.
  private func candidates(of block: DecoderBlock) -> [(name: String, linears: [Linear])] {
    let selected = block.linears.filter { options.selection.selects($0.name) }
    guard !selected.isEmpty else { return [] }
    switch options.by {
    case .block: return [("model.layers.\(block.index)", selected)]
    case .matrix: return selected.map { ($0.name, [$0]) }
    }
  }

  /// Predictions with some layers of a block pruned.
  private func measure(
    _ linears: [Linear],
    _ block: Int,
    _ fraction: Double,
    _ streams: [Tensor],
    _ reference: [Tensor]
  ) throws -> PredictionSums {
    defer { for linear in linears { linear.trial = nil } }
    for linear in linears {
      let weight = try finiteWeight(linear)
      let mask = Mask(weight, sparsity: fraction, pattern: options.pattern, scope: .matrix)
      linear.trial = DenseWeight(mask.applied(to: weight).weight)
    }
    var sums = PredictionSums()
    for (index, sequence) in set.sequences.enumerated() {
      sums.add(
        Prune.predictions(
          [states(after: streams[index], from: block)],
          head: model.head,
          sequence: sequence,
          reference: reference[index]
        )[0]
      )
    }
    return sums
  }

  /// The normalized states after the last block, `[T, D]`, of a stream before a block.
  private func states(after stream: Tensor, from block: Int) -> Tensor {
    let last = model.blocks[block...].reduce(stream) {
      model.stream($0, afterBlock: $1.index, documentStarts: nil)
    }
    return model.finalNorm(last).reshaped([stream.shape[1], model.configuration.hiddenSize])
  }

  /// What the candidates come to, for each fraction.
  private func summarize(_ report: inout StageReport) {
    for fraction in options.fractions {
      let key = "kl_\(Self.key(fraction))"
      let values = report.layers.compactMap { $0.values[key] }
      report.metrics["\(key)_mean"] = values.reduce(0, +) / Double(max(1, values.count))
      report.metrics["\(key)_largest"] = values.max()
    }
  }

  /// A fraction in percent, as part of a name: `30`, `12.5`.
  static func key(_ fraction: Double) -> String {
    let percent = (fraction * 1e6).rounded() / 1e4
    return percent == percent.rounded() ? "\(Int(percent))" : "\(percent)"
  }
}
