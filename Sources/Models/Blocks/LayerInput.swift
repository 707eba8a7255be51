internal import Tensor

/// What linear layers work on, with a way to make it again that is cheaper than keeping it.
///
/// The gradient of a weight needs the layer's input. Where the input follows from something that
/// is kept anyway by one pass over memory, such as a normalization, it is made again instead.
struct LayerInput {
  /// The input, `[..., inputs]`.
  let value: Tensor
  /// Makes the same numbers again from values that are kept; nil if the value itself is kept.
  let again: (() -> Tensor)?

  init(_ value: Tensor, again: (() -> Tensor)? = nil) {
    self.value = value
    self.again = again
  }
}
