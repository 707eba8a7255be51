internal import Models
internal import Tensor

/// What a model says of some sequences before anything is changed, to be compared with what it says
/// afterwards.
///
/// Blocks are gone through one at a time, so that no more than one is in memory.
struct OriginalPredictions {
  private let model: LanguageModel
  private let sequences: [[Int32]]
  private let hidden: [Tensor]
  private let head: HeadMatrix

  /// Computes them.
  init(_ model: LanguageModel, _ sequences: [[Int32]]) {
    self.model = model
    self.sequences = sequences
    hidden = Self.streamsAfterBlocks(model, sequences).map { model.finalNorm($0) }
    head = model.head.headMatrix
  }

  /// The residual streams of all sequences before the first block, `[1, T, D]` each.
  var streams: [Tensor] { Self.streamsBeforeBlocks(model, sequences) }

  /// The mean divergence per token of the model as it is now, in nats.
  ///
  /// - Throws: ``QuantizeError`` if it is not finite.
  func divergence() throws(QuantizeError) -> Double {
    try divergence(after: Self.streamsAfterBlocks(model, sequences))
  }

  /// The mean divergence per token of residual streams after the last block, in nats.
  ///
  /// - Throws: ``QuantizeError`` if it is not finite.
  func divergence(after streams: [Tensor]) throws(QuantizeError) -> Double {
    let width = model.configuration.hiddenSize
    var (sum, count) = (0.0, 0.0)
    for (stream, hidden) in zip(streams, hidden) {
      let shape: Shape = [stream.shape[1], width]
      let loss = model.finalNorm(stream).reshaped(shape).headDivergence(
        head: model.head.headMatrix,
        reference: .head(hidden: hidden.reshaped(shape), matrix: head),
        divergence: .forwardKL
      )
      sum += loss.divergenceSum
      count += loss.weightSum
    }
    guard sum.isFinite else { throw .notFinite(.weight, "model") }
    return max(0, sum / max(1, count))
  }

  private static func streamsBeforeBlocks(_ model: LanguageModel, _ sequences: [[Int32]])
    -> [Tensor]
  {
    sequences.map { model.embedded($0, rows: 1) }
  }

  private static func streamsAfterBlocks(_ model: LanguageModel, _ sequences: [[Int32]])
    -> [Tensor]
  {
    var streams = streamsBeforeBlocks(model, sequences)
    for block in model.blocks {
      streams = streams.map { model.stream($0, afterBlock: block.index, documentStarts: nil) }
      block.release()
    }
    return streams
  }
}
