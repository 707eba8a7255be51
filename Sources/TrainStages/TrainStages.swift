public import Pipeline

/// The stages of this module.
public let trainStages: [any Stage.Type] = [TrainStage.self]
