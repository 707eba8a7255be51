public import Pipeline

/// Every stage of this module.
public let quantizeStages: [any Stage.Type] = [
  RoundToNearestStage.self, GPTQStage.self, LearnedRoundingStage.self, TuneStage.self,
]
