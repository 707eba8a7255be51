internal import Calibrate
internal import Models
internal import Pipeline
internal import Tensor

/// What the stages share that choose zeros by what layers work on.
struct CalibratedSparsity {
  private let zeros: SparsityOptions
  private let allocation: SparsityAllocation
  private let calibration: CalibrationOptions

  init(
    _ zeros: SparsityOptions,
    _ allocation: SparsityAllocation,
    _ calibration: CalibrationOptions
  ) {
    self.zeros = zeros
    self.allocation = allocation
    self.calibration = calibration
  }

  /// Finds patterns without a match, matrices that a pattern does not divide and those whose input
  /// is not measured; promises zeros.
  func check(_ promise: inout ModelPromise) -> [StageProblem] {
    var problems = calibration.check(promise, choosesInputs: true)
    problems += zeros.selection.outsideBlocks(promise, remedy: "use `prune.magnitude` for it")
    // Where blocks get fractions of their own each is promised the mean.
    problems += zeros.check(&promise)
    return problems + allocation.problems(zeros)
  }

  /// The inputs of the widest layer that is selected.
  func unknownCount(_ promise: ModelPromise) -> Int {
    zeros.selection.select(from: promise).map(\.shape.columns).max() ?? 0
  }

  /// Visits the selected layers, those that share an input together, and stores each block when it
  /// is complete.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - context: The stage's context.
  ///   - selection: What to collect of the inputs.
  ///   - visit: Given layers, what is known of their input and the fraction of zeros they get;
  ///     replaces their weights.
  /// - Throws: What `visit` throws, `CalibrateError`, and errors about the text.
  func walk(
    _ model: LanguageModel,
    _ context: StageContext,
    collecting selection: InputStatistics.Selection,
    visit: (_ linears: [Linear], _ inputs: InputStatistics, _ fraction: Double) throws -> Void
  ) throws {
    let set = try calibration.load(
      model,
      context,
      unknowns: selection.contains(.gram) ? unknownCount(ModelPromise(model.outline)) : 0
    )
    let fractions = try allocation.fractions(zeros, model, set, calibration, context)
    let walk = try calibration.walk(model, set, context, scratch: context.stateFolder)
    for block in model.blocks {
      try walk.walkBlock(collecting: selection) { group in
        try visit(
          group.linears.filter { zeros.selection.selects($0.name) },
          group.statistics,
          fractions[block.index]
        )
      }
      try context.finishBlock(block.index, of: model.blocks.count)
    }
  }
}
