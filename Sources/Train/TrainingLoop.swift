public import Foundation
public import Tensor

/// Trains parameters step by step, so that it can be ended at any moment and go on.
///
/// A step takes `partsPerStep` batches, adds up their gradients weighted by counted tokens, so that
/// parts of unequal length give the gradient of one large batch, and lets the optimizer change the
/// parameters. Batches are asked for by step and part, not drawn from a source with a state of its
/// own: this is what makes a resumed training the same, bit for bit, as one that never stopped.
///
/// ```swift
/// var options = TrainingOptions(schedule: .cosine(peak: 1e-4, steps: 500, warmupSteps: 20))
/// options.validationInterval = 50
/// let loop = TrainingLoop(
///   parameters: parameters,
///   optimizer: AdamW(),
///   options: options,
///   batch: { step, part in order.batch(step, part) },
///   tokenCount: \.countedTokens,
///   loss: { batch in model.loss(batch) },
///   validationLoss: { try meanLoss(model, validation) })
/// let result = try loop.run(folder: folder, fingerprint: ["recipe": hash])
/// ```
public struct TrainingLoop<Batch> {
  /// What is trained; names differ.
  public var parameters: [Parameter]
  /// The rule of the updates.
  public var optimizer: any Optimizer
  /// How the training runs.
  public var options: TrainingOptions
  /// Returns the batch of a step, from 1, and part, from 0: the same one whenever it is asked.
  public var batch: (_ step: Int, _ part: Int) throws -> Batch
  /// The tokens over which the loss of a batch is a mean; a batch with none is left out.
  public var tokenCount: (Batch) -> Int
  /// Computes the mean loss over a batch's counted tokens, one number, from the parameters' values.
  public var loss: (Batch) throws -> Tensor
  /// Measures the mean loss on other data with the parameters' present values.
  public var validationLoss: (() throws -> Double)?
  /// Elements that stay zero; nil for none.
  ///
  /// They belong to the saved state, so that a resumed training holds the same ones.
  public var heldZeros: HeldZeros?
  /// Called after each step.
  ///
  /// If it throws, training ends with that error; on `CancellationError` the state is saved first.
  public var onProgress: (TrainingProgress) throws -> Void

  /// Creates a training; nothing runs.
  public init(
    parameters: [Parameter],
    optimizer: any Optimizer,
    options: TrainingOptions,
    batch: @escaping (_ step: Int, _ part: Int) throws -> Batch,
    tokenCount: @escaping (Batch) -> Int,
    loss: @escaping (Batch) throws -> Tensor,
    validationLoss: (() throws -> Double)? = nil,
    onProgress: @escaping (TrainingProgress) throws -> Void = { _ in }
  ) {
    self.parameters = parameters
    self.optimizer = optimizer
    self.options = options
    self.batch = batch
    self.tokenCount = tokenCount
    self.loss = loss
    self.validationLoss = validationLoss
    self.onProgress = onProgress
  }

  /// Trains, or goes on where a training that was ended in the same folder had saved its state.
  ///
  /// In the end the parameters have the values with the least validation loss if they are kept,
  /// otherwise their moving average if there is one, otherwise those of the last step.
  ///
  /// - Parameters:
  ///   - folder: Where `metrics.jsonl`, `timing.jsonl` and the saved `state` go; nothing is written
  ///     if nil. The state stays at the end, so that running again returns the result at once.
  ///   - fingerprint: What else the result depends on, such as hashes of recipe, model and data. A
  ///     state that was saved under another fingerprint is refused; the error names the
  ///     difference. The optimizer, the options and the parameters' names and shapes are added
  ///     to it.
  /// - Returns: How it ended.
  /// - Throws: What the closures throw, or ``TrainingError``: `notFinite` naming step and part if a
  ///   loss or gradient is not finite, the saved state staying as it is; `stateOfAnother`,
  ///   `damagedState`, `unwritable` or `invalidOptions`.
  public func run(
    folder: URL? = nil,
    fingerprint: [String: String] = [:]
  ) throws -> TrainingResult {
    try TrainingRun(self, folder: folder, fingerprint: fingerprint).run()
  }
}
