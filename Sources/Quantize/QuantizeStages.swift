public import Pipeline

/// Every stage of this module.
public let quantizeStages: [any Stage.Type] = [
  RoundToNearestStage.self, AWQStage.self, GPTQStage.self, AllocateStage.self, TuneStage.self,
  SmoothStage.self, ActivationsStage.self,
]
