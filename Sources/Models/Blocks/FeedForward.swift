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
  func callAsFunction(_ x: LayerInput, _ context: ForwardContext) -> Tensor {
    context.tap?(gate, x.value)
    let product = gated(x)
    context.tap?(down, product.value)
    return down(product)
  }

  /// Returns what the down projection works on, `[B, T, F]`.
  func gated(_ x: LayerInput) -> LayerInput {
    let projected = Linear.outputs(of: [gate, up], x)
    let (opening, content) = (projected[0], projected[1])  // [B, T, F]
    let (a, b) = (opening.detached, content.detached)
    return LayerInput(opening.swiGLU(up: content)) { a.swiGLU(up: b) }
  }
}
