internal import Foundation
internal import Models
internal import Pipeline
internal import TrainStages

/// A model that another learns from: frozen, its weights mapped.
struct TeacherModel {
  let model: LanguageModel
  let vocabulary: VocabularyAlignment

  /// Takes a model that fits the student.
  init(model: LanguageModel, vocabulary: VocabularyAlignment) {
    self.model = model
    self.vocabulary = vocabulary
  }

  /// Opens the teacher of a running stage.
  ///
  /// A model that the stage prunes may learn from what it was.
  ///
  /// - Throws: ``DistillError`` if there is none or it does not fit the student, or what opening a
  ///   model throws.
  init(
    _ path: ModelPath?,
    of student: LanguageModel,
    _ training: TrainOptions,
    _ context: StageContext
  ) throws {
    if let path {
      model = try path.load(context.paths)
    } else {
      let folder = context.baselineURL
      guard folder != context.modelFolder || training.prune != nil else {
        throw DistillError(
          .unusableTeacher,
          Self.isItself,
          at: "teacher",
          remedy: "name a teacher"
        )
      }
      model = try ModelLoader.load(folder)
    }
    vocabulary = try VocabularyAlignment(student: student, teacher: model)
  }

  private static let isItself =
    "the student is the model that the recipe begins with, and would learn from itself"

  /// Opens the teacher of a stage that is checked or planned.
  static func open(_ path: ModelPath?, _ setting: StageSetting) throws -> LanguageModel {
    try path?.load(setting.paths) ?? setting.baseline
  }

  /// Finds out whether there is a teacher that the student can learn from with the stage's options
  /// and the machine's memory.
  ///
  /// - Parameters:
  ///   - path: The option `teacher`.
  ///   - training: The options of the training.
  ///   - promise: The student before the stage.
  ///   - setting: What is there beside it.
  ///   - keepsOutputs: Whether the teacher runs once over each row only.
  ///   - changeEstimate: Adds what the stage needs beyond a training beside a teacher.
  ///   - further: Checks what the stage asks of the teacher beyond.
  /// - Returns: The problems.
  static func check(
    _ path: ModelPath?,
    _ training: TrainOptions,
    _ promise: ModelPromise,
    _ setting: StageSetting,
    keepsOutputs: Bool = false,
    changeEstimate: (inout TrainingEstimate, LanguageModel) -> Void = { _, _ in },
    further: (LanguageModel, VocabularyAlignment) -> [StageProblem] = { _, _ in [] }
  ) -> [StageProblem] {
    let problems = checkFit(path, training, setting, further: further)
    guard problems.isEmpty, let teacher = try? open(path, setting) else { return problems }
    var promise = promise
    return training.check(&promise) {
      add(teacher, to: &$0, training, keepsOutputs: keepsOutputs)
      changeEstimate(&$0, teacher)
    }
  }

  /// Finds out whether there is a teacher that the student can learn from, whatever the memory.
  static func checkFit(
    _ path: ModelPath?,
    _ training: TrainOptions,
    _ setting: StageSetting,
    further: (LanguageModel, VocabularyAlignment) -> [StageProblem] = { _, _ in [] }
  ) -> [StageProblem] {
    guard path != nil || !setting.readsBaseline || training.prune != nil else {
      return [StageProblem("\(isItself); name a teacher", option: "teacher")]
    }
    let teacher: LanguageModel
    let vocabulary: VocabularyAlignment
    do {
      teacher = try open(path, setting)
      vocabulary = try VocabularyAlignment(student: setting.baseline, teacher: teacher)
    } catch {
      return [StageProblem("\(error)", option: "teacher")]
    }
    var problems = further(teacher, vocabulary)
    let context = teacher.configuration.contextLength
    if training.batches.length > context {
      problems.append(
        StageProblem(
          "sequences of \(training.batches.length) tokens exceed the teacher's context of "
            + "\(context)",
          option: "length"
        )
      )
    }
    return problems
  }

  /// The plan of a training beside a teacher.
  static func plan(
    _ path: ModelPath?,
    _ training: TrainOptions,
    _ promise: ModelPromise,
    _ setting: StageSetting,
    keepsOutputs: Bool = false,
    changeEstimate: (inout TrainingEstimate, LanguageModel) -> Void = { _, _ in }
  ) -> StagePlan {
    var estimate = TrainingEstimate(training, promise, setting)
    let teacher = try? open(path, setting)
    if let teacher {
      add(teacher, to: &estimate, training, keepsOutputs: keepsOutputs)
      changeEstimate(&estimate, teacher)
    }
    var plan = estimate.plan
    if let teacher {
      let size = ByteSize(ModelPromise(teacher.outline).byteCount)
      plan.notes.append("the teacher \(teacher.companions.name) is mapped beside, \(size)")
      let vocabulary = try? VocabularyAlignment(student: setting.baseline, teacher: teacher)
      if let vocabulary, vocabulary.tokens != nil { plan.notes.append(vocabulary.note) }
    }
    if !training.validation.isOn {
      plan.notes.append(
        "without `validation` nothing finds out whether the result is better than the start"
      )
    }
    return plan
  }

  /// Adds what a teacher needs: its weights, the activations of one block, a chunk of logits.
  private static func add(
    _ teacher: LanguageModel,
    to estimate: inout TrainingEstimate,
    _ training: TrainOptions,
    keepsOutputs: Bool
  ) {
    let promise = ModelPromise(teacher.outline)
    let tokens = training.batches.batch / training.batches.accumulation * training.batches.length
    let sizes = teacher.configuration
    let block = 4 * sizes.hiddenSize + 3 * sizes.feedForwardSize
    estimate.extraByteCount += promise.byteCount + 4 * tokens * block
    estimate.extraByteCount += min(64 << 20, 4 * tokens * sizes.vocabularySize)
    let pass = 2 * Double(promise.parameterCount)
    if keepsOutputs { estimate.firstOperations += pass } else { estimate.extraOperations += pass }
  }
}
