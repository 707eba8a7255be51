/// What stops operations from being recorded, and which recorded values they use meanwhile.
final class RecordingPause: @unchecked Sendable {
  /// The values used that were recorded outside, each once, in the order of their first use.
  private(set) var used: [GradientNode] = []
  private var seen: Set<ObjectIdentifier> = []

  func use(_ node: GradientNode) {
    if seen.insert(ObjectIdentifier(node)).inserted { used.append(node) }
  }

  @TaskLocal static var current: RecordingPause?
}

extension Tensor {
  /// Whether operations on the tensor are recorded: it depends on a parameter that is being
  /// differentiated by.
  public var isRecorded: Bool { node != nil && RecordingPause.current == nil }

  /// The same elements, not recorded: a constant for differentiation.
  public var detached: Tensor {
    guard node != nil else { return self }
    var plain = self
    plain.node = nil
    return plain
  }

  /// Attaches the backward rule of the operation that produced `self`.
  ///
  /// Does nothing unless an input is being differentiated by, so that outside of
  /// ``differentiate(_:_:)`` nothing is kept.
  ///
  /// ```swift
  /// func doubled(_ x: Tensor) -> Tensor {
  ///   x.detached.scaled(by: 2).recorded("doubled", [x]) { dy, _ in [dy.scaled(by: 2)] }
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - operation: The operation's name, for traces and time reports.
  ///   - inputs: The differentiable inputs, in the order of the gradients that `pullback` returns.
  ///   - pullback: Given the gradient of the output and which inputs need one, returns the inputs'
  ///     gradients, of their shapes. It must mention `detached` values only; what it captures
  ///     stays in memory until the backward pass has come past.
  /// - Returns: `self`, with the rule attached if it is needed.
  /// - Precondition: `self` was made from `detached` inputs.
  public func recorded(
    _ operation: StaticString,
    _ inputs: [Tensor],
    _ pullback: @escaping (_ gradient: Tensor, _ needs: [Bool]) -> [Tensor?]
  ) -> Tensor {
    recorded(
      operation,
      inputs,
      accumulating: { gradient, slots in
        let gradients = pullback(gradient, slots.needs)
        require(
          gradients.count == slots.nodes.count,
          "\(operation): \(gradients.count) gradients for \(slots.nodes.count) inputs"
        )
        for (index, gradient) in gradients.enumerated() {
          if let gradient { slots.add(gradient, to: index) }
        }
      }
    )
  }

  /// Attaches a backward rule that adds to the gradients of the inputs where they are summed.
  ///
  /// - Parameters:
  ///   - operation: The operation's name, for traces and time reports.
  ///   - inputs: The differentiable inputs, numbered as in the slots.
  ///   - accumulate: Given the gradient of the output, adds to the gradients of the inputs.
  /// - Returns: `self`, with the rule attached if it is needed.
  public func recorded(
    _ operation: StaticString,
    _ inputs: [Tensor],
    accumulating accumulate: @escaping (_ gradient: Tensor, _ slots: GradientSlots) -> Void
  ) -> Tensor {
    require(node == nil, "\(operation): the result depends on inputs that were not detached")
    if let pause = RecordingPause.current {
      for input in inputs { if let node = input.node { pause.use(node) } }
      return self
    }
    guard inputs.contains(where: { $0.node != nil }) else { return self }
    var result = self
    result.node = GradientNode(operation, parents: inputs.map(\.node), pullback: accumulate)
    return result
  }
}
