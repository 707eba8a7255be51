import Foundation
import Models
import Pipeline

/// Measures nothing real: a number made of the file's size, in the way a real evaluator works.
struct FakeEvaluator: ModelEvaluator {
  func estimatedSeconds(
    _ settings: EvaluationSettings,
    _ promise: ModelPromise,
    paths: RecipePaths
  ) -> Double? { 2 }

  func measureBaseline(_ model: URL, _ context: EvaluationContext) throws -> ModelMeasurement {
    try FaultPlan.pass("baseline")
    try Data("reference".utf8).write(to: context.referenceFolder.appending(path: "outputs"))
    try FaultPlan.pass("baseline kept")
    return ModelMeasurement(["perplexity": 20, "perplexity_standard_error": 0.5, "kl_mean": 0])
  }

  func measure(_ model: URL, _ context: EvaluationContext) throws -> ModelMeasurement {
    try FaultPlan.pass("measure \(model.lastPathComponent)")
    let kept = context.referenceFolder.appending(path: "outputs")
    guard try String(contentsOf: kept, encoding: .utf8) == "reference" else {
      throw FaultPlan.Fault(step: "the reference is damaged")
    }
    context.progress(1, of: 2, unit: "tokens")
    return ModelMeasurement(["perplexity": 21, "kl_mean": 0.25], warnings: ["short text"])
  }
}
