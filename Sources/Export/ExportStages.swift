public import Pipeline

/// Every stage of this module.
public let exportStages: [any Stage.Type] = [
  HuggingFaceExportStage.self, CompressedTensorsExportStage.self, GGUFExportStage.self,
]
