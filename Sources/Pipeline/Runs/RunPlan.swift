import Foundation
import Models

/// What a run will do, from headers only.
public struct RunPlan: Sendable {
  /// A stage of the plan.
  public struct Row: Sendable {
    /// The stage's number and kind, such as `02-quantize.gptq`.
    public let title: String
    /// What the stage leaves behind.
    public let effect: StageEffect
    /// What the stage is expected to do and need.
    public let plan: StagePlan
  }

  /// The model before the first stage.
  public let model: ModelPromise
  /// The size of its files.
  public let modelSize: ModelSize
  /// What making the model takes, if it is a new one.
  public let creation: StagePlan?
  /// The stages.
  public let rows: [Row]
  /// About how long a measurement of the model takes, in seconds; nil if unknown or if nothing is
  /// measured.
  public let evaluationSeconds: Double?
  /// About the most memory that is resident during a measurement, in bytes; nil if unknown or if
  /// nothing is measured.
  public let evaluationPeakByteCount: Int?
  /// How many measurements there are, the baseline's included.
  public let evaluationCount: Int
  /// How many of these are of models that stages leave and that something later is made of.
  public let evaluatedStageCount: Int
  /// What stops nothing and may spoil results, each at its place in the recipe.
  public let warnings: [RecipeProblem]

  /// About how long everything takes, in seconds; nil if a stage does not say.
  public var totalSeconds: Double? {
    let stages = rows.map(\.plan.seconds) + (creation.map { [$0.seconds] } ?? [])
    guard stages.allSatisfy({ $0 != nil }), evaluationCount == 0 || evaluationSeconds != nil else {
      return nil
    }
    return stages.reduce(0) { $0 + ($1 ?? 0) }
      + (evaluationSeconds ?? 0) * Double(evaluationCount)
  }
}

extension RecipeFile {
  /// Checks everything that can be checked before anything runs, and plans the run.
  ///
  /// Only headers are read. Every stage is checked against what the stages before it promise.
  ///
  /// - Parameter evaluator: What will measure; nil if nothing can.
  /// - Returns: The plan.
  /// - Throws: ``RecipeProblems`` with everything that is wrong.
  public func plan(evaluator: (any ModelEvaluator)?) throws(RecipeProblems) -> RunPlan {
    var problems = inputProblems()
    let inputsAreThere = problems.isEmpty
    if let settings = recipe.evaluation, let evaluator {
      problems += evaluator.check(settings, paths: paths).map { problem($0, under: "evaluation") }
    }
    let model: LanguageModel
    let size: ModelSize
    switch recipe.model {
    case .existing(let path):
      do {
        model = try path.load(paths)
        size = try ModelSize(of: model.companions.origin, parameterCount: model.parameterCount)
      } catch {
        let problem = StageProblem("the model cannot be opened: \(RunError.text(error))")
        throw RecipeProblems(problems + [self.problem(problem, under: "model")])
      }
    case .new(let new):
      // What cannot be opened has been reported already if it is not there.
      guard inputs(under: "model").allSatisfy(FileTree.exists) else {
        throw RecipeProblems(problems)
      }
      do {
        model = try new.load(
          paths,
          seed: recipe.modelSeed,
          origin: paths.recipeFolder.appending(path: "new-model"),
          trainsTokenizer: false
        ).model
        size = ModelSize(floats: model.parameterCount)
      } catch {
        throw RecipeProblems(problems + error.problems.map { problem($0, under: "model.new") })
      }
    }
    if recipe.evaluation != nil, let evaluator {
      problems += evaluator.checkCompanions(of: model).map { problem($0, under: "model") }
    }
    if let objection = recipe.cache?.objection(paths) {
      problems.append(problem(StageProblem(objection), under: "cache"))
    }
    let promise = ModelPromise(model.outline)
    var current = promise
    var rows: [RunPlan.Row] = []
    var warnings: [RecipeProblem] = []
    var readsBaseline = true
    let overlaps = inputsAreThere && evaluator != nil ? overlaps() : [:]
    for (index, stage) in recipe.stages.enumerated() {
      if stage.effect == .restoresBaseline {
        current = promise
        readsBaseline = true
        continue
      }
      let before = current
      let setting = StageSetting(baseline: model, paths: paths, readsBaseline: readsBaseline)
      if stage.effect == .changesModel { readsBaseline = false }
      var found = stage.stage.check(&current) + stage.stage.checkCompanions(of: model)
      // What the recipe names and cannot be opened has been reported already.
      if inputsAreThere && found.isEmpty { found = stage.stage.checkInputs(before, setting) }
      problems += found.map { problem($0, under: "stages.\(index)") }
      // A stage that cannot run cannot plan either.
      guard found.isEmpty else { continue }
      var plan = stage.stage.plan(before, setting)
      if stage.effect == .changesModel {
        let limit = current.fileByteCountAtMost ?? .max
        let output = plan.outputByteCount ?? min(limit, current.byteCount)
        plan.outputByteCount = output
        plan.bitsPerWeight = plan.bitsPerWeight ?? ModelSize.bits(output, current.parameterCount)
      }
      plan.warnings += overlaps[index] ?? []
      plan.notes += plan.warnings.map(\.message)
      warnings += plan.warnings.map { problem($0, under: "stages.\(index)") }
      let title = Recipe.folderName(index, stage.kind)
      rows.append(RunPlan.Row(title: title, effect: stage.effect, plan: plan))
    }
    guard problems.isEmpty else { throw RecipeProblems(problems) }
    let isMeasured = evaluator != nil && recipe.evaluation != nil
    let measured = recipe.stages.indices.filter(recipe.measures)
    let largest = rows.filter { $0.effect != .measures }.compactMap(\.plan.outputByteCount).reduce(
      promise.byteCount,
      max
    )
    return RunPlan(
      model: promise,
      modelSize: size,
      creation: recipe.model.new?.plan(promise),
      rows: rows,
      evaluationSeconds: recipe.evaluation.flatMap {
        evaluator?.estimatedSeconds($0, promise, paths: paths)
      },
      evaluationPeakByteCount: recipe.evaluation.flatMap {
        evaluator?.estimatedPeakByteCount($0, promise, largest: largest)
      },
      evaluationCount: isMeasured ? measured.count + 1 : 0,
      evaluatedStageCount: isMeasured
        ? measured.filter { recipe.stages[$0].effect == .changesModel }.count : 0,
      warnings: warnings
    )
  }
}
