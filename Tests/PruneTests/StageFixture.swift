import Foundation
import Models
import Pipeline
import Tensor
import TestSupport

/// Runs a stage on a model as a recipe's runner does, and opens what it stored.
func runStage(_ stage: some Stage, on tiny: TinyModel) throws -> (
  model: LanguageModel, report: StageReport
) {
  let model = try tiny.load()
  let folder = tiny.result("run-\(UUID().uuidString)")
  let checkpoint = folder.appending(path: "checkpoint")
  try FileManager.default.createDirectory(at: checkpoint, withIntermediateDirectories: true)
  try FileManager.default.createDirectory(
    at: folder.appending(path: "state"),
    withIntermediateDirectories: true
  )
  var writer = ModelWriter(model, to: checkpoint)
  let context = StageContext(
    modelFolder: tiny.url,
    seed: 1,
    folder: folder,
    exportURL: folder.appending(path: "export"),
    paths: RecipePaths(recipeFolder: folder),
    writeBlock: { try writer.writeBlock($0) },
    useModel: { writer = ModelWriter($0, to: checkpoint) }
  )
  let report = try stage.run(model, context)
  try writer.finish()
  return (try ModelLoader.load(checkpoint), report)
}

extension TinyModel {
  /// Makes a weight of a matrix no number.
  func damage(_ name: String) throws {
    let model = try load()
    for linear in model.matrices where linear.name == name {
      var weights = linear.weight.dense.elements(as: Float.self)
      weights[weights.count / 2] = .nan
      linear.weight = DenseWeight(Tensor(weights, shape: [linear.rows, linear.columns]))
    }
    try save(model)
  }
}

/// What a stage promises of a model, or what it objects.
func promise(_ stage: some Stage, of model: LanguageModel) -> (
  promise: ModelPromise, problems: [StageProblem]
) {
  var promise = ModelPromise(model.outline)
  let problems = stage.check(&promise)
  return (promise, problems)
}

/// Whether a model's parts are what was promised: names, shapes and formats.
func keeps(_ model: LanguageModel, _ promise: ModelPromise) -> Bool {
  let actual = ModelPromise(model.outline)
  return actual.configuration == promise.configuration
    && actual.parts.map(\.name) == promise.parts.map(\.name)
    && actual.parts.map(\.shape) == promise.parts.map(\.shape)
    && actual.parts.map(\.format) == promise.parts.map(\.format)
}
