public import Pipeline

/// Every stage of this module, in the order in which they can follow one another.
public let quantizeStages: [any Stage.Type] = [
  RoundToNearestStage.self, AWQStage.self, GPTQStage.self, AllocateStage.self,
  LearnedRoundingStage.self, TuneStage.self, SmoothStage.self, ActivationsStage.self,
]
