public import Models
public import Pipeline
internal import TrainStages

/// `distill.hidden`: trains a model to have the hidden states of a teacher, and its probabilities.
///
/// Each layer of the student imitates one of the teacher: the loss is the mean distance of the
/// residual streams after them, to which the loss of `distill.logits` is added. If the widths
/// differ, each pair of layers has a matrix that is learned with the student and forgotten.
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
    TeacherModel.check(options.teacher, options.training, promise, setting) { teacher, _ in
      options.layers.check(
        student: promise.configuration.layerCount,
        teacher: teacher.configuration.layerCount
      )
    }
  }

  /// Estimates memory from sizes, and the time from the number of operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    TrainingEstimate(options.training, promise).plan
  }

  /// Estimates memory and time with the teacher's.
  public func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan {
    TeacherModel.plan(options.teacher, options.training, promise, setting)
  }

  /// Trains, going on where an interrupted run had saved its state.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let teacher = try TeacherModel(options.teacher, of: model, context)
    let data = try TrainingData(options.training, model, context)
    try teacher.require(data)
    let logits = LogitsObjective(
      student: model,
      teacher: teacher,
      options: options.divergence,
      training: options.training,
      cache: nil
    )
    let hidden = HiddenObjective(logits, options, seed: context.seed)
    let session = TrainingSession(
      options.training,
      model,
      context,
      objective: hidden.objective
    )
    var report = try session.run(on: data)
    teacher.report(to: &report)
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
