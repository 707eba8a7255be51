public import Pipeline

/// Every stage of this module.
public let exportStages: [any Stage.Type] = [
  HuggingFaceExportStage.self, CompressedTensorsExportStage.self, GPTQExportStage.self,
  AWQExportStage.self, MLXExportStage.self, GGUFExportStage.self,
]
