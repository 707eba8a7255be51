package import Tensor

/// What a forward pass needs beside its input: positions, cache and observer.
struct ForwardContext {
  let configuration: ModelConfiguration
  let rotary: RotaryTable
  /// The position of the first token.
  let start: Int
  let cache: KeyValueCache?
  let tap: ActivationTap?
}

/// Called with a linear layer and its input, once for layers that share an input: the query
/// projection stands for key and value, the gate for up.
package typealias ActivationTap = (_ linear: Linear, _ input: Tensor) -> Void
