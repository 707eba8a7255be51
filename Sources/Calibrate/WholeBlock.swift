public import Models
public import Tensor

/// A block with its inputs over all calibration text, and the outputs it should have.
public struct WholeBlock {
  package let steps: BlockSteps
  /// The tokens of a sequence.
  public let length: Int
  private let inputs: ActivationStore
  private let targets: ActivationStore

  init(steps: BlockSteps, length: Int, inputs: ActivationStore, targets: ActivationStore) {
    self.steps = steps
    self.length = length
    self.inputs = inputs
    self.targets = targets
  }

  /// The block.
  public var block: DecoderBlock { steps.block }
  /// The number of sequences.
  public var sequenceCount: Int { inputs.rows / length }

  /// Returns the residual stream before the block for some sequences, `[B, T, D]`.
  ///
  /// - Throws: ``CalibrateError`` if it cannot be read.
  public func inputs(_ sequences: Range<Int>) throws(CalibrateError) -> Tensor {
    try part(inputs, sequences)
  }

  /// Returns what the residual stream after the block should be for some sequences, `[B, T, D]`.
  ///
  /// - Throws: ``CalibrateError`` if it cannot be read.
  public func targets(_ sequences: Range<Int>) throws(CalibrateError) -> Tensor {
    try part(targets, sequences)
  }

  /// Computes the residual stream after the block, `[B, T, D]`, with the weights as they are.
  public func callAsFunction(_ x: Tensor) -> Tensor { steps(x) }

  private func part(
    _ store: ActivationStore,
    _ sequences: Range<Int>
  ) throws(CalibrateError) -> Tensor {
    try store.rows(sequences.lowerBound * length..<sequences.upperBound * length)
      .reshaped([sequences.count, length, store.width])
  }
}
