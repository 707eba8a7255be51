internal import Evaluate
public import Models
public import Pipeline
internal import TrainStages

/// `distill.logits`: trains a model to give the probabilities of a teacher.
///
/// For each position of a text the loss is the distance of the student's distribution over the
/// next token from the teacher's, mixed with the cross-entropy of the text's own token if asked.
/// Logits of both exist for a chunk of positions at a time only. The teacher's weights stay mapped
/// in their file; or its outputs are kept on disk, and it runs once over the text. A part of the
/// steps can be on texts that the student itself has just written, as ``OnPolicyOptions``
/// describes.
///
/// Source: Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*, 2015,
/// arXiv:1503.02531, section 2. Differs from it in learning from text rather than from images,
/// position by position, as Sanh et al., *DistilBERT*, 2019, arXiv:1910.01108 do.
public struct DistillLogitsStage: Stage {
  /// `distill.logits`.
  public static let kind = "distill.logits"
  /// What the stage does.
  public static let summary =
    "Trains the model to give the same probabilities as a teacher: a larger model, or itself before "
    + "it was compressed."
  /// The model that later stages read is the trained one.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example =
    "distill.logits: { teacher: models/large, data: data.txt, steps: 200, batch: 4, length: 256 }"

  let options: DistillLogitsOptions

  /// Creates the stage.
  public init(_ options: DistillLogitsOptions) { self.options = options }

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

  /// Finds a teacher with another tokenizer or too short a context, and too little memory for both.
  public func checkInputs(_ promise: ModelPromise, _ setting: StageSetting) -> [StageProblem] {
    TeacherModel.check(
      options.teacher,
      options.training,
      promise,
      setting,
      keepsOutputs: options.cache != nil
    ) { estimate, _ in
      options.onPolicy?.add(to: &estimate, options.training, promise)
    } further: { _, vocabulary in
      guard let cache = options.cache, cache.topK > vocabulary.common else { return [] }
      return [
        StageProblem(
          "\(cache.topK) tokens of a vocabulary of \(vocabulary.common) cannot be kept",
          option: "cache.top_k"
        )
      ]
    }
  }

  /// Estimates memory from sizes, and the time from the number of operations.
  public func plan(_ promise: ModelPromise) -> StagePlan {
    TrainingEstimate(options.training, promise).plan
  }

  /// Estimates memory and time with the teacher's.
  public func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan {
    var cacheNote: String?
    var plan = TeacherModel.plan(
      options.teacher,
      options.training,
      promise,
      setting,
      keepsOutputs: options.cache != nil
    ) { estimate, teacher in
      options.onPolicy?.add(to: &estimate, options.training, promise)
      guard let cache = options.cache else { return }
      // Rows that the student writes are new each time.
      let passes = 2 * Double(ModelPromise(teacher.outline).parameterCount)
      estimate.extraOperations += (options.onPolicy?.share ?? 0) * passes
      cacheNote = note(cache, estimate, teacher, setting)
    }
    if let cacheNote { plan.notes.append(cacheNote) }
    if let note = options.onPolicy?.note(options.training, promise) { plan.notes.append(note) }
    return plan
  }

  /// What a plan says about the teacher's kept outputs.
  private func note(
    _ cache: CacheOptions,
    _ estimate: TrainingEstimate,
    _ teacher: LanguageModel,
    _ setting: StageSetting
  ) -> String? {
    guard let vocabulary = try? VocabularyAlignment(student: setting.baseline, teacher: teacher)
    else { return nil }
    let common = vocabulary.common
    let coding = TokenCoding(count: min(cache.topK, common), vocabulary: common)
    let each = "\(coding.byteCount) B for each token"
    guard let steps = estimate.steps, let distinct = estimate.distinctRows else {
      return "the teacher's outputs are kept on disk, \(each)"
    }
    let (batches, validation) = (options.training.batches, options.training.validation)
    let sampled = Int((options.onPolicy?.share ?? 0) * Double(steps * batches.batch))
    let tokens =
      (distinct + sampled) * batches.length + (validation.isOn ? validation.tokens : 0)
    return "the teacher runs once over each row; its outputs take about "
      + "\(ByteSize(tokens * coding.byteCount)) on disk, \(each)"
  }

  /// Trains, going on where an interrupted run had saved its state.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let teacher = try TeacherModel(options.teacher, of: model, options.training, context)
    let data = try TrainingData(
      options.training,
      model,
      context,
      keepsRows: options.cache != nil
    )
    try teacher.require(data, of: model, options.training.batches)
    let outside = try teacher.probabilityOutside(data, options.training.batches)
    let cache = try options.cache.map {
      try CachedTeacher(
        teacher,
        options: $0,
        temperature: options.divergence.temperature,
        separatesDocuments: options.training.batches.separatesDocuments,
        context
      )
    }
    var logits = LogitsObjective(
      student: model,
      teacher: teacher,
      options: options.divergence,
      training: options.training,
      cache: cache
    )
    logits.samples = options.onPolicy.map {
      StudentSamples($0, model, options.training, teacher.vocabulary, seed: context.seed)
    }
    let session = TrainingSession(
      options.training,
      model,
      context,
      objective: logits.objective
    )
    var report = try session.run(on: data)
    teacher.report(to: &report, probabilityOutside: outside)
    cache?.report(to: &report)
    logits.samples?.report(to: &report)
    return report
  }
}
