public import Models
public import Pipeline
internal import TrainStages

/// `distill.hidden`: trains a model to have the hidden states of a teacher, and its probabilities.
///
/// Each layer of the student imitates one of the teacher: the loss is the mean distance of the
/// residual streams after them, to which the loss of `distill.logits` is added. If the widths
/// differ, each pair of layers has a matrix that is learned with the student and forgotten. Beside
/// or instead of the states, the relations of positions in attention can be imitated, as
/// ``RelationOptions`` describes; and a part of the steps can be on texts that the student itself
/// has just written, as ``OnPolicyOptions`` describes.
///
/// Source: Romero et al., *FitNets*, 2014, arXiv:1412.6550, section 2.2, for the learned matrix;
/// Jiao et al., *TinyBERT*, 2019, arXiv:1909.10351, equation 8, for all layers at once. Differs
/// from both in taking a distance relative to the length of the teacher's states by default, as the
/// residual streams of decoders have a few channels thousands of times larger than the others.
public struct DistillHiddenStage: Stage {
  /// `distill.hidden`.
  public static let kind = "distill.hidden"
  /// What the stage does.
  public static let summary =
    "Trains the model to have the hidden states of a teacher, layer by layer, and its probabilities."
  /// The model that later stages read is the trained one.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example =
    "distill.hidden: { teacher: models/large, data: data.txt, steps: 200, batch: 4, length: 256 }"

  let options: DistillHiddenOptions

  /// Creates the stage.
  public init(_ options: DistillHiddenOptions) { self.options = options }

  /// Finds what `train` would find.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    options.training.check(&promise)
  }

  /// The data.
  public var fittedTexts: [FittedText] { options.training.fittedTexts }

  /// Finds a tokenizer or a chat template that cannot be read.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    options.training.checkCompanions(of: model)
  }

  /// Finds layers that are not there, and a teacher that does not fit.
  public func checkInputs(_ promise: ModelPromise, _ setting: StageSetting) -> [StageProblem] {
    let own = promise.configuration
    return TeacherModel.check(options.teacher, options.training, promise, setting) {
      change(&$0, promise, teacher: $1.configuration)
    } further: { teacher, _ in
      let other = teacher.configuration
      return options.layers.check(student: own.layerCount, teacher: other.layerCount)
        + (options.relations?.check(student: own, teacher: other) ?? [])
    }
  }

  /// Estimates memory from sizes, and the time from the number of operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    TrainingEstimate(options.training, promise).plan
  }

  /// Estimates memory and time with the teacher's.
  public func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan {
    var plan = TeacherModel.plan(options.teacher, options.training, promise, setting) {
      change(&$0, promise, teacher: $1.configuration)
    }
    if let relations = options.relations,
      let teacher = try? TeacherModel.open(options.teacher, setting)
    {
      plan.notes.append(
        relations.note(student: promise.configuration, teacher: teacher.configuration)
      )
    }
    if let note = options.onPolicy?.note(options.training, promise) { plan.notes.append(note) }
    return plan
  }

  private func change(
    _ estimate: inout TrainingEstimate,
    _ promise: ModelPromise,
    teacher: ModelConfiguration
  ) {
    options.onPolicy?.add(to: &estimate, options.training, promise)
    estimate.extraByteCount += statesByteCount(promise.configuration, teacher)
    guard options.relations != nil else { return }
    // Vectors of one layer of each model and their gradients, and a tile of relations.
    let (model, batches) = (promise.configuration, options.training.batches)
    let tokens = batches.batch / batches.accumulation * batches.length
    let width = (model.queryHeads + 2 * model.keyHeads) * model.headSize
    estimate.extraByteCount += 4 * 4 * tokens * width
    estimate.extraByteCount += 4 * 8 * RelationDivergence.tile * batches.length
  }

  /// What states take: the teacher's, their differences from the student's and, where widths differ,
  /// the student's as projected, and projections with gradients and moments.
  private func statesByteCount(_ own: ModelConfiguration, _ other: ModelConfiguration) -> Int {
    guard options.hiddenWeight > 0,
      options.layers.check(student: own.layerCount, teacher: other.layerCount).isEmpty
    else { return 0 }
    let pairs = options.layers.pairs(student: own.layerCount, teacher: other.layerCount).count
    let batches = options.training.batches
    let states = 4 * batches.batch / batches.accumulation * batches.length * other.hiddenSize
    guard own.hiddenSize != other.hiddenSize else { return 2 * pairs * states }
    return pairs * (3 * states + 16 * own.hiddenSize * other.hiddenSize)
  }

  /// Trains, going on where an interrupted run had saved its state.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let teacher = try TeacherModel(options.teacher, of: model, options.training, context)
    let data = try TrainingData(options.training, model, context)
    try teacher.require(data, of: model, options.training.batches)
    let outside = try teacher.probabilityOutside(data, options.training.batches)
    var logits = LogitsObjective(
      student: model,
      teacher: teacher,
      options: options.divergence,
      training: options.training,
      cache: nil
    )
    logits.samples = options.onPolicy.map {
      StudentSamples($0, model, options.training, teacher.vocabulary, seed: context.seed)
    }
    let hidden = HiddenObjective(logits, options, seed: context.seed)
    let session = TrainingSession(
      options.training,
      model,
      context,
      objective: hidden.objective
    )
    var report = try session.run(on: data)
    teacher.report(to: &report, probabilityOutside: outside)
    logits.samples?.report(to: &report)
    if let relations = hidden.relations {
      var values: [String: Double] = [:]
      for kind in relations.options.of {
        let name = "\(kind.rawValue)_relations"
        values[name] = report.metrics.removeValue(forKey: "validation_\(name)")
      }
      report.layers.append(
        StageReport.Layer(
          "model.layers.\(relations.studentLayer).self_attn",
          values,
          note: "relations of layer \(relations.teacherLayer), \(relations.heads) heads"
        )
      )
    }
    for pair in hidden.pairs {
      let distance = report.metrics.removeValue(
        forKey: "validation_state_distance_\(pair.student)"
      )
      report.layers.append(
        StageReport.Layer(
          "model.layers.\(pair.student)",
          distance.map { ["state_distance": $0] } ?? [:],
          note: "imitates layer \(pair.teacher)"
        )
      )
    }
    return report
  }
}
