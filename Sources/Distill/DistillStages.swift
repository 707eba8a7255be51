public import Pipeline

/// The stages of this module.
public let distillStages: [any Stage.Type] = [
  DistillLogitsStage.self, DistillHiddenStage.self, DistillBlocksStage.self,
]
