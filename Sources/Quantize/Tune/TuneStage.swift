internal import Foundation
public import Models
public import Pipeline
internal import Tensor
internal import TrainStages

/// `quantize.tune`: trains scales, offsets and norms of a quantized model to agree with the
/// original.
///
/// It follows any stage that quantizes, and changes neither formats nor sizes:
///
///     - quantize.gptq: { bits: 4, group_size: 32 }
///     - quantize.tune: { data: train.txt, steps: 100 }
///
/// The divergence of next-token distributions, KL(original ‖ quantized), is lowered by gradients
/// through the whole model, which no method that fits layer after layer can do.
///
/// Source: Training scales alone after quantization is the second phase of Chen et al.,
/// *EfficientQAT*, 2024, arXiv:2407.11062, section 3.3. Differs from it in learning the original
/// model's distribution instead of the text, in learning relative changes, and in training norms
/// too. Straight-through codes follow Esser et al., *LSQ*, 2019, arXiv:1902.08153, with the latent
/// weights kept as moves from the quantized ones.
public struct TuneStage: Stage {
  /// `quantize.tune`.
  public static let kind = "quantize.tune"
  /// What the stage does.
  public static let summary =
    "Trains scales, offsets and norms of a quantized model to agree with the original."
  /// The model that later stages read is the tuned one.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example = "quantize.tune: { data: builtin:calibration, steps: 60 }"

  let options: TuneOptions

  /// Creates the stage.
  public init(_ options: TuneOptions) { self.options = options }

  /// Finds a model that is not quantized, patterns without a match, sequences longer than the
  /// context, and too little memory.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    let estimate = TuneEstimate(options, promise)
    if options.parts.scales && estimate.quantized.isEmpty {
      return [
        StageProblem("no matrix is quantized: a stage that quantizes comes before this one")
      ]
    }
    var problems = options.selection.check(estimate.candidates)
    if options.codes == .straightThrough,
      let part = estimate.matrices.first(where: { part in
        if case .groups = part.format { false } else { true }
      })
    {
      problems.append(
        StageProblem(
          "the codes of `\(part.name)` in \(part.format) cannot be trained, only those of integer "
            + "groups",
          option: "codes"
        )
      )
    }
    if options.batches.length > promise.configuration.contextLength {
      problems.append(
        StageProblem(
          "sequences of \(options.batches.length) tokens exceed the model's context of "
            + "\(promise.configuration.contextLength)",
          option: "length"
        )
      )
    }
    if problems.isEmpty, let objection = estimate.memoryObjection { problems.append(objection) }
    guard problems.isEmpty else { return problems }
    let dtype = options.normType.dtype
    promise.update(Set(estimate.norms.map(\.name))) { part in
      if let dtype { part.format = .elements(dtype) }
    }
    if options.codes == .straightThrough {
      promise.update(Set(estimate.matrices.map(\.name))) { part in
        part.sparsity = 0
        part.zeroPattern = nil
      }
    }
    return []
  }

  /// The data.
  public var fittedTexts: [FittedText] { options.training.fittedTexts }

  /// Finds a tokenizer or a chat template that cannot be read.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    do {
      _ = try RecordEncoders(model, options.batches)
      return []
    } catch {
      return [StageProblem("the model's tokenizer or chat template cannot be used: \(error)")]
    }
  }

  /// Estimates memory from sizes, and the time from the number of operations.
  public func plan(_ promise: ModelPromise) -> StagePlan { TuneEstimate(options, promise).plan }

  /// Trains, going on where an interrupted run had saved its state.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    try TuneSession(options, model, context).run()
  }
}

/// What tuning will need, from the sizes of a model.
struct TuneEstimate {
  let options: TuneOptions
  let promise: ModelPromise

  init(_ options: TuneOptions, _ promise: ModelPromise) {
    self.options = options
    self.promise = promise
  }

  /// The matrices that are quantized.
  var quantized: [ModelPromise.Part] {
    promise.matrices.filter { if case .elements = $0.format { false } else { true } }
  }

  /// What could be trained.
  var candidates: [ModelPromise.Part] {
    (options.parts.scales ? quantized : [])
      + (options.parts.norms ? promise.parts.filter { !$0.isLinear } : [])
  }

  /// The matrices that are trained.
  var matrices: [ModelPromise.Part] {
    candidates.filter { $0.isLinear && options.selection.selects($0.name) }
  }

  /// The norms that are trained.
  var norms: [ModelPromise.Part] {
    candidates.filter { !$0.isLinear && options.selection.selects($0.name) }
  }

  /// How many numbers are trained.
  var parameterCount: Int {
    norms.reduce(0) { $0 + $1.shape.count }
      + matrices.reduce(0) { sum, part in
        sum + Self.scaleCount(part) + (options.codes == .straightThrough ? part.shape.count : 0)
      }
  }

  private static func scaleCount(_ part: ModelPromise.Part) -> Int {
    switch part.format {
    case .elements: 0
    case .groups(let format):
      part.shape.rows * format.groupCount(columns: part.shape.columns)
        * (format.zero == .offset ? 2 : 1)
    case .blocks(let format): 2 * part.shape.count / format.blockLength
    }
  }

  var memoryObjection: StageProblem? {
    let limit =
      options.compute.memoryLimit?.byteCount ?? Int(ProcessInfo.processInfo.physicalMemory)
    guard peakByteCount > limit else { return nil }
    return StageProblem(
      "about \(ByteSize(peakByteCount)) of memory are needed, and \(ByteSize(limit)) are there; "
        + "divide the batch by `accumulation`, choose `recompute: blocks`, or take shorter "
        + "sequences",
      option: "batch"
    )
  }

  var plan: StagePlan {
    var zeros = ZeroNotes()
    if options.codes == .straightThrough {
      for part in matrices { zeros.add(part, losing: "trained codes may leave zero") }
    }
    return StagePlan(
      matches: options.selection.targets.map { pattern in
        let matched = candidates.filter { pattern.matches($0.name) }
        return StagePlan.Match(
          pattern: pattern.text,
          count: matched.count,
          parameterCount: matched.reduce(0) { $0 + $1.shape.count }
        )
      },
      peakByteCount: peakByteCount,
      seconds: options.steps.map { steps in
        let tokens = Double(steps) * Double(options.batches.batch * options.batches.length)
        // The teacher forwards; the student forwards and both gradients.
        return tokens * 8 * Double(promise.parameterCount) / 1.2e11
      },
      notes: [
        "\(parameterCount) parameters are trained", "the original model is read beside this one",
      ] + zeros.notes
    )
  }

  /// About the most that is resident: both models, what the optimizer keeps, activations, and one
  /// dense matrix with its gradient.
  private var peakByteCount: Int {
    let activations = TrainingEstimate(options.training, promise).activationByteCount
    let widest = matrices.map(\.shape.count).max() ?? 0
    let teacher = 2 * promise.parameterCount
    let validation = 4 * options.validation.tokens * promise.configuration.hiddenSize
    // Codes of blocks are copied with their scales taken out.
    let codes = matrices.reduce(0) { sum, part in
      if case .blocks = part.format { sum + 2 * part.byteCount } else { sum }
    }
    return 96_000_000 + promise.byteCount + teacher + codes + validation + 16 * parameterCount
      + 8 * widest + 2 * activations
  }
}
