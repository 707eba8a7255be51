/// Runs `body` without keeping its intermediate values, and runs it again in the backward pass.
///
/// Memory for time: of everything that `body` computes only its inputs stay, at the cost of a
/// second forward computation. Gradients are the same as without.
///
/// - Parameters:
///   - input: What `body` works on.
///   - body: Computes one tensor from the input, parameters and other recorded values; it gives
///     the same result each time it is called.
/// - Returns: What `body` returns.
///
/// Source: Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016, arXiv:1604.06174.
public func recomputed(_ input: Tensor, _ body: @escaping (Tensor) -> Tensor) -> Tensor {
  let value = input.detached
  let pause = RecordingPause()
  let result = RecordingPause.$current.withValue(pause) { body(value) }
  if let outer = RecordingPause.current {
    // Inside another recomputation everything is computed again by that one.
    for node in pause.used { outer.use(node) }
    if let node = input.node { outer.use(node) }
    return result
  }
  let inputs =
    [input]
    + pause.used.map { node in
      var used = Tensor(zeros: [0])
      used.node = node
      return used
    }
  return result.recorded("recomputed", inputs, accumulating: { gradient, slots in
    // Older than what is recorded again, so that it collects its gradient and is not walked.
    let leaf = GradientNode("recomputed input")
    let first = GradientNode.nextNumber
    var again = value
    if slots.isNeeded(0) { again.node = leaf }
    let result = body(again)
    if let node = result.node {
      BackwardWalk(firstNumber: first, whenComplete: nil).run(from: node, gradient: gradient)
    }
    if let gradient = leaf.gradient.take() { slots.add(gradient, to: 0) }
  })
}
