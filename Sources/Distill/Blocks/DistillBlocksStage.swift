internal import Datasets
public import Models
public import Pipeline
internal import Tensor
internal import TrainStages

/// `distill.blocks`: trains each block of a model by itself to give what the teacher's gives.
///
/// The residual streams of some sequences go through both models a block at a time. Each block is
/// trained on what comes before it, by the distance of its output from the teacher's, and is final
/// then. One block is trained at a time, so that memory is that of one block and the streams.
///
/// Source: Wang et al., *Blockwisely Supervised Neural Architecture Search with Knowledge
/// Distillation*, 2019, arXiv:1911.13053, equation 5, for training blocks by themselves on the
/// teacher's inputs; Nagel et al., *Up or Down?*, 2020, arXiv:2004.10568, section 3.3, for inputs
/// that come from the blocks already changed.
public struct DistillBlocksStage: Stage {
  /// `distill.blocks`.
  public static let kind = "distill.blocks"
  /// What the stage does.
  public static let summary =
    "Trains each block of the model by itself to give the output of the teacher's: a quick recovery "
    + "after pruning or quantization."
  /// The model that later stages read is the trained one.
  public static let effect = StageEffect.changesModel
  /// The stage as a line of a recipe.
  public static let example =
    "distill.blocks: { data: data.txt, sequences: 64, epochs: 4, batch: 4, length: 256 }"

  let options: DistillBlocksOptions

  /// Creates the stage.
  public init(_ options: DistillBlocksOptions) { self.options = options }

  /// Only parts of blocks are trained.
  private func candidates(_ promise: ModelPromise) -> [ModelPromise.Part] {
    promise.parts.filter { $0.name.hasPrefix("model.layers.") }
  }

  private func trained(_ promise: ModelPromise) -> [ModelPromise.Part] {
    candidates(promise).filter { options.training.parts.selects($0.name) }
  }

  /// Finds patterns without a match in the blocks, and sequences longer than the context.
  public func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems = options.training.parts.check(candidates(promise))
    problems += options.training.batches.lengthProblems(promise.configuration)
    if problems.isEmpty {
      problems += options.training.zeroProblems(promise, trained: trained(promise))
    }
    guard problems.isEmpty else { return problems }
    let names = Set(trained(promise).map(\.name))
    options.training.promiseTrained(names, &promise)
    return []
  }

  /// The data.
  public var fittedTexts: [FittedText] { options.training.fittedTexts }

  /// Finds a tokenizer or a chat template that cannot be read.
  public func checkCompanions(of model: LanguageModel) -> [StageProblem] {
    options.training.checkCompanions(of: model)
  }

  /// Finds a teacher of another width or tokenizer, and too little memory.
  public func checkInputs(_ promise: ModelPromise, _ setting: StageSetting) -> [StageProblem] {
    let (own, training) = (promise.configuration, options.training)
    var problems = TeacherModel.checkFit(options.teacher, training, setting) { teacher, _ in
      let other = teacher.configuration
      guard own.hiddenSize == other.hiddenSize else {
        return [
          StageProblem(
            "states of width \(other.hiddenSize) cannot be compared with the student's of "
              + "\(own.hiddenSize); use `distill.hidden`",
            option: "teacher"
          )
        ]
      }
      return options.layers.check(student: own.layerCount, teacher: other.layerCount)
    }
    if problems.isEmpty, let teacher = try? TeacherModel.open(options.teacher, setting),
      let objection = training.compute.memoryObjection(
        peakByteCount(promise, teacher),
        remedy: "keep fewer or shorter sequences",
        option: "sequences"
      )
    {
      problems.append(objection)
    }
    return problems
  }

  /// Estimates memory and time with the teacher's.
  public func plan(_ promise: ModelPromise, _ setting: StageSetting) -> StagePlan {
    let names = trained(promise)
    var notes = [
      "\(names.reduce(0) { $0 + $1.shape.count }) parameters are trained, block by block"
    ]
    if !options.training.validation.isOn {
      notes.append("without `validation` nothing finds out whether a block is better than before")
    }
    notes += options.training.zeroNotes(names)
    let teacher = try? TeacherModel.open(options.teacher, setting)
    return StagePlan(
      matches: options.training.parts.matches(in: candidates(promise)),
      peakByteCount: teacher.map { peakByteCount(promise, $0) },
      seconds: seconds(promise),
      notes: notes
    )
  }

  /// The kept streams, both models' files, and a block's training: four numbers for each weight, and
  /// its activations.
  private func peakByteCount(_ promise: ModelPromise, _ teacher: LanguageModel) -> Int {
    let (sizes, settings) = (promise.configuration, options.training.batches)
    let held = options.training.validation.isOn ? options.training.validation.tokens : 0
    let tokens = options.sequences * settings.length + held
    let streams = 5 * 4 * tokens * sizes.hiddenSize
    let step = settings.batch / settings.accumulation * settings.length
    let block = 6 * sizes.hiddenSize + 4 * sizes.queryHeads * sizes.headSize
    let activations = 4 * step * (block + 4 * sizes.feedForwardSize)
    let largest = promise.largestSection { $0.name.hasPrefix("model.layers.") ? $0.shape.count : 0 }
    return 96_000_000 + promise.byteCount + ModelPromise(teacher.outline).byteCount + streams
      + activations + 20 * largest
  }

  private func seconds(_ promise: ModelPromise) -> Double {
    let settings = options.training.batches
    let weights = Double(candidates(promise).reduce(0) { $0 + $1.shape.count })
    let steps =
      options.training.steps.map(Double.init)
      ?? options.training.epochs * Double(options.sequences) / Double(settings.batch)
    let trained = steps * Double(settings.batch * settings.length)
    return weights * (6 * trained + 4 * Double(options.sequences * settings.length)) / 1.2e11
  }

  /// Trains block after block, going on where an interrupted run had saved its state.
  public func run(_ model: LanguageModel, _ context: StageContext) throws -> StageReport {
    let teacher = try TeacherModel(options.teacher, of: model, options.training, context)
    let data = try TrainingData(options.training, model, context)
    try teacher.require(data, of: model, options.training.batches)
    let settings = options.training.batches
    let parts = options.sequences / settings.batch * settings.accumulation
    let batches = try (0..<parts).map {
      let (step, part) = $0.quotientAndRemainder(dividingBy: settings.accumulation)
      return try data.batch(step: step + 1, part: part, settings)
    }
    let training = BlockTraining(
      model,
      teacher,
      options,
      context,
      fingerprint: "\(data.fingerprint) \(context.seed) \(options.recipeNode)"
    )
    var report = try training.run(batches, data.validation)
    teacher.report(to: &report, probabilityOutside: nil)
    return report
  }
}
