package import Foundation
package import Models
internal import Pipeline
package import Tensor

/// Walks through a model from a text's loss back to the first block, with one block in memory.
///
/// A pass forwards keeps the residual stream before every block, in memory or in a file. On the way
/// back each block is computed again from it, and the gradient that arrives there takes its place.
///
/// ```swift
/// let walk = try GradientWalk(model, sequences, memoryByteCount: 1 << 30, scratch: folder)
/// try walk.walkLoss([]) { _, loss, _ in total += loss }
/// while let block = walk.nextBlock {
///   try walk.walkBlock([block.attentionNorm.makeTrainable()]) { sequence, gradients in … }
///   block.attentionNorm.freeze(as: nil)
/// }
/// ```
package final class GradientWalk {
  private let model: LanguageModel
  private let sequences: [[Int32]]
  private let streams: ActivationStore
  private var remaining: Int

  /// Prepares to walk back by walking forwards.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - sequences: Sequences of token ids, all of one length `T` of at least two.
  ///   - memoryByteCount: The most memory for residual streams; beyond it they are in a file.
  ///   - scratch: The folder of that file.
  /// - Throws: ``CalibrateError`` if streams cannot be kept.
  /// - Complexity: A forward pass; keeps `T · D` numbers for each sequence and block.
  package init(
    _ model: LanguageModel,
    _ sequences: [[Int32]],
    memoryByteCount: Int,
    scratch: URL
  ) throws(CalibrateError) {
    self.model = model
    self.sequences = sequences
    remaining = model.blocks.count
    var budget = memoryByteCount
    streams = try ActivationStore(
      rows: Self.rowCount(sequences, blocks: model.blocks.count),
      width: model.configuration.hiddenSize,
      chunk: max(1, sequences.first?.count ?? 1),
      budget: &budget,
      scratch: scratch
    )
    for (index, sequence) in sequences.enumerated() {
      try streams.set(range(0, index), model.embedded(sequence, rows: 1))
    }
    for block in model.blocks {
      for index in sequences.indices {
        let before = try rows(block.index, index)
        let after = model.stream(before, afterBlock: block.index, documentStarts: nil)
        try streams.set(range(block.index + 1, index), after)
      }
      block.release()
    }
  }

  /// The block that is walked next; nil once the first is done.
  package var nextBlock: DecoderBlock? { remaining > 0 ? model.blocks[remaining - 1] : nil }

  /// Walks from each sequence's loss, the mean of `−log p(next token)`, to the last block's output.
  ///
  /// - Parameters:
  ///   - parameters: What else to differentiate by: of the last norm or the head.
  ///   - weight: The factor of all gradients from here on.
  ///   - visit: Called for each sequence with its number, its loss in nats, and the gradients by
  ///     the parameters.
  /// - Throws: What `visit` throws; ``CalibrateError`` if gradients cannot be kept.
  package func walkLoss(
    _ parameters: [Parameter],
    weight: Double = 1,
    visit: (_ sequence: Int, _ loss: Double, Gradients) throws -> Void
  ) throws {
    for (index, sequence) in sequences.enumerated() {
      let last = model.blocks.count
      let (loss, gradients) = try pulledBack(to: last, index, parameters, weight) { x in
        model.loss(afterLastBlock: x, targets: sequence.dropFirst() + [-1])
      }
      try visit(index, loss.sum(), gradients)
    }
  }

  /// Walks from the next block's output to its input.
  ///
  /// - Parameters:
  ///   - parameters: What else to differentiate by: of the block.
  ///   - visit: Called for each sequence with its number and the gradients by the parameters.
  /// - Throws: What `visit` throws; ``CalibrateError`` if gradients cannot be kept.
  /// - Precondition: A block is left, and the loss has been walked from.
  /// - Complexity: A forward and a backward pass of the block; keeps what the backward pass over
  ///   one sequence needs.
  package func walkBlock(
    _ parameters: [Parameter],
    visit: (_ sequence: Int, Gradients) throws -> Void
  ) throws {
    require(remaining > 0, "gradient walk: no block is left")
    remaining -= 1
    let block = model.blocks[remaining]
    for index in sequences.indices {
      let arriving = try rows(block.index + 1, index)
      let (_, gradients) = try pulledBack(to: block.index, index, parameters, 1) { x in
        (model.stream(x, afterBlock: block.index, documentStarts: nil) * arriving).summed()
      }
      try visit(index, gradients)
    }
    block.release()
  }

  /// Differentiates a number by the residual stream before a block and by parameters, and keeps the
  /// gradient by the stream in its place.
  private func pulledBack(
    to place: Int,
    _ sequence: Int,
    _ parameters: [Parameter],
    _ weight: Double,
    _ body: (Tensor) -> Tensor
  ) throws(CalibrateError) -> (value: Tensor, gradients: Gradients) {
    let stream = Parameter("residual stream", try rows(place, sequence))
    var gradients = Gradients()
    let value = differentiate([stream] + parameters, addingTo: &gradients, weight: weight) {
      body(stream.value)
    }
    if let leaving = gradients.take(stream) { try streams.set(range(place, sequence), leaving) }
    return (value, gradients)
  }

  private static func rowCount(_ sequences: [[Int32]], blocks: Int) -> Int {
    (blocks + 1) * sequences.reduce(0) { $0 + $1.count }
  }

  private func range(_ place: Int, _ sequence: Int) -> Range<Int> {
    let length = sequences[sequence].count
    let start = (place * sequences.count + sequence) * length
    return start..<start + length
  }

  private func rows(_ place: Int, _ sequence: Int) throws(CalibrateError) -> Tensor {
    let range = range(place, sequence)
    return try streams.rows(range).reshaped([1, range.count, streams.width])
  }
}

extension CalibrationOptions {
  /// About the most bytes that a ``GradientWalk`` over so many sequences needs beside weights.
  package func gradientWalkByteCount(
    _ configuration: ModelConfiguration,
    sequences: Int
  ) -> Int {
    let streams = 4 * sequences * length * (configuration.layerCount + 1) * configuration.hiddenSize
    // The backward pass over a sequence needs all of one block.
    let width =
      4 * configuration.hiddenSize + 3 * configuration.feedForwardSize
      + 2 * (configuration.queryHeads + 2 * configuration.keyHeads) * configuration.headSize
    return 4 * length * width + (streams <= memory.byteCount ? streams : 0)
  }
}
