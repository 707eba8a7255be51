package import Tensor

/// What a forward pass needs beside its input: positions, cache and observer.
struct ForwardContext {
  let configuration: ModelConfiguration
  let rotary: RotaryTable
  /// The position of the first token.
  let start: Int
  let cache: KeyValueCache?
  let tap: ActivationTap?
  /// For packed sequences, the index within its row of the first token of each token's document,
  /// `[B · T]`; attention does not look before it.
  var documentStarts: [Int32]?
  /// What is computed again in the backward pass instead of being kept.
  var recomputation = Recomputation.none
  /// Called with each block's number and the residual stream after it, `[B, T, D]`.
  var blockTap: ((_ index: Int, _ stream: Tensor) -> Void)?
}

/// What a training step computes again in the backward pass instead of keeping it in memory.
///
/// Gradients are the same. Normalized inputs and gated products are always computed again: they
/// cost one pass over memory.
public enum Recomputation: String, Sendable, Hashable, CaseIterable {
  /// Keeps the results of every matrix product.
  case none
  /// Computes the gate and up projections of feed-forward layers again: for a block of Llama's
  /// proportions about half as much is kept, for a sixth more time.
  case feedForward = "feed_forward"
  /// Computes whole blocks again: only the residual stream between blocks is kept, for a third
  /// more time.
  case blocks
}

/// Called with a linear layer and its input, once for layers that share an input: the query
/// projection stands for key and value, the gate for up.
package typealias ActivationTap = (_ linear: Linear, _ input: Tensor) -> Void
