internal import Tensor

/// The gated feed-forward layer: `down(silu(gate(x)) ⊙ up(x))`.
///
/// Source: Shazeer, *GLU Variants Improve Transformer*, 2020, arXiv:2002.05202.
public struct FeedForward {
  /// Makes the gate, `[F, D]`.
  public let gate: Linear
  /// Makes what is gated, `[F, D]`.
  public let up: Linear
  /// Returns to the width of the residual stream, `[D, F]`.
  public let down: Linear

  /// Returns what the layer adds to the residual stream, `[B, T, D]`.
  func callAsFunction(_ x: Tensor, _ context: ForwardContext) -> Tensor {
    context.tap?(gate, x)
    let gated = gate(x).swiGLU(up: up(x))  // [B, T, F]
    context.tap?(down, gated)
    return down(gated)
  }
}
