/// Carries the gradient of a result back to what it was computed from.
struct BackwardWalk {
  /// Nodes older than this belong to an outer recording: they collect gradients and are not
  /// walked.
  var firstNumber: UInt64 = 0
  /// Called with each parameter's gradient when no more can arrive; kept in the leaf if nil.
  let whenComplete: ((Parameter, consuming Tensor) -> Void)?

  /// Walks from the loss.
  ///
  /// - Precondition: `value` is one number.
  func run(from value: Tensor, weight: Double) {
    require(value.count == 1, "differentiate: the loss is \(value.shape), not one number")
    guard let node = value.node else { return }
    let one =
      value.dtype == .float32
      ? Tensor([Float(weight)], shape: value.shape) : Tensor([weight], shape: value.shape)
    run(from: node, gradient: one)
  }

  /// Walks from a node whose gradient is known.
  func run(from node: GradientNode, gradient: Tensor) {
    node.receive(gradient)
    guard node.number >= firstNumber else { return }
    let nodes = reachable(from: node)
    for node in nodes {
      if node.parameter != nil {
        deliver(node)
        continue
      }
      if let gradient = node.gradient.take() {
        OperationClock.measure(node.operation) { node.propagate(gradient) }
      }
      // Uses from inside a recomputed region are not counted by the outer walk, where the region
      // as a whole is one use.
      for case .some(let parent) in node.parents where parent.number >= firstNumber {
        parent.pendingUses -= 1
        // Handed out at once, not when the walk reaches it: leaves are the oldest nodes.
        if parent.pendingUses == 0 && parent.parameter != nil { deliver(parent) }
      }
      node.release()
    }
  }

  private func deliver(_ leaf: GradientNode) {
    guard let whenComplete, let parameter = leaf.parameter, leaf.number >= firstNumber,
      let gradient = leaf.gradient.take()
    else { return }
    whenComplete(parameter, gradient)
  }

  /// The nodes that the gradient can reach, newest first, their uses counted.
  private func reachable(from start: GradientNode) -> [GradientNode] {
    var found = [start]
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(start)]
    var next = 0
    while next < found.count {
      let node = found[next]
      next += 1
      for case .some(let parent) in node.parents where parent.number >= firstNumber {
        if seen.insert(ObjectIdentifier(parent)).inserted {
          parent.pendingUses = 0
          found.append(parent)
        }
        parent.pendingUses += 1
      }
    }
    return found.sorted { $0.number > $1.number }
  }
}
