internal import Tensor

/// One layer of a decoder: attention, then a feed-forward layer, each on normalized input and
/// added to the residual stream.
public struct DecoderBlock {
  /// The block's number, from 0.
  public let index: Int
  /// Normalizes the input of attention.
  public let attentionNorm: Normalization
  /// Mixes positions.
  public let attention: SelfAttention
  /// Normalizes the input of the feed-forward layer.
  public let feedForwardNorm: Normalization
  /// Works on each position.
  public let feedForward: FeedForward

  /// The linear layers in the order of execution.
  public var linears: [Linear] {
    [
      attention.query, attention.key, attention.value, attention.output,
      feedForward.gate, feedForward.up, feedForward.down,
    ]
  }

  /// The normalizations in the order of execution.
  public var norms: [Normalization] {
    [attentionNorm, attention.queryNorm, attention.keyNorm, feedForwardNorm].compactMap(\.self)
  }

  /// Forgets what was read from files; the next use reads it again.
  package func release() {
    for linear in linears { linear.release() }
    TensorMemory.closeGaps()
  }

  /// Returns the residual stream after the block, `[B, T, D]`.
  func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    let mixed = x + attention(attentionNorm.input(x), layer: index, context)
    guard context.recomputation == .feedForward && mixed.isRecorded else {
      return mixed + feedForward(feedForwardNorm.input(mixed), context)
    }
    // From the residual stream, which is kept anyway.
    return mixed + recomputed(mixed) { feedForward(feedForwardNorm.input($0), context) }
  }
}
