import Distill
import Evaluate
import Export
import Pipeline
import Prune
import Quantize
import TrainStages

/// What recipes can name, and what measures them.
enum Toolbox {
  /// Every stage, in the order in which `describe` lists them.
  static let registry = StageRegistry(
    stages: trainStages + distillStages + pruneStages + quantizeStages + exportStages
      + evaluateStages + pipelineStages,
    metrics: evaluateMetrics
  )

  /// What a recipe's `evaluation` is done by.
  static let evaluator: (any ModelEvaluator)? = TextEvaluator()
}
