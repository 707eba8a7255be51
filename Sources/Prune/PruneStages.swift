public import Pipeline

/// Every stage of this module.
public let pruneStages: [any Stage.Type] = [
  DepthStage.self, WidthStage.self, MagnitudeStage.self, WandaStage.self, SparseGPTStage.self,
  ScanStage.self,
]
