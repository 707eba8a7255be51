internal import Synchronization

/// What an operation leaves behind for the backward pass: where its inputs came from, and how
/// their gradients follow from the gradient of its output.
///
/// Nodes are numbered as they are made, so an operation's number is greater than those of its
/// inputs, and the backward walk visits nodes by falling number without recursion.
final class GradientNode: @unchecked Sendable {
  typealias Pullback = (_ gradient: Tensor, _ slots: GradientSlots) -> Void

  let number: UInt64
  let operation: StaticString
  /// The nodes of the inputs; nil for an input that needs no gradient.
  private(set) var parents: [GradientNode?]
  /// The parameter whose value this node stands for; nil for results of operations.
  let parameter: Parameter?
  /// The sum of what has arrived from the operations that use the value.
  var gradient: Tensor?
  /// How many uses have not sent their gradient yet; counted by the walk.
  var pendingUses = 0
  private var pullback: Pullback?

  private static let counter = Atomic<UInt64>(0)

  /// The number that the next node gets at least.
  static var nextNumber: UInt64 { counter.load(ordering: .relaxed) }

  init(
    _ operation: StaticString,
    parents: [GradientNode?] = [],
    parameter: Parameter? = nil,
    pullback: Pullback? = nil
  ) {
    self.number = Self.counter.wrappingAdd(1, ordering: .relaxed).oldValue
    self.operation = operation
    self.parents = parents
    self.parameter = parameter
    self.pullback = pullback
  }

  /// Frees the nodes that only this one holds one after another: freeing each from within the
  /// next would overflow the stack on a long chain that was never walked.
  deinit {
    guard !parents.isEmpty else { return }
    var waiting = parents.compactMap(\.self)
    parents = []
    while let last = waiting.indices.last {
      var older: [GradientNode] = []
      if isKnownUniquelyReferenced(&waiting[last]) {
        older = waiting[last].parents.compactMap(\.self)
        waiting[last].parents = []
      }
      waiting.removeLast()
      waiting += older
    }
  }

  /// Sends `gradient` on to the parents and forgets what was kept for it.
  func propagate(_ gradient: Tensor) {
    guard let pullback else { return }
    self.pullback = nil
    pullback(gradient, GradientSlots(nodes: parents))
  }

  /// Forgets the inputs and what was kept for their gradients.
  func release() {
    parents = []
    pullback = nil
  }

  /// Adds to the gradient, in place if nobody else holds it.
  func receive(_ addend: Tensor) {
    guard gradient != nil else {
      gradient = addend.detached
      return
    }
    gradient?.add(addend.detached)
  }
}

/// Where an operation's backward rule leaves the gradients of its inputs.
public struct GradientSlots {
  let nodes: [GradientNode?]

  /// Whether an input's gradient is wanted.
  ///
  /// Work for one that is not can be left out.
  public func isNeeded(_ index: Int) -> Bool { nodes[index] != nil }

  /// Which inputs' gradients are wanted.
  public var needs: [Bool] { nodes.map { $0 != nil } }

  /// Adds to an input's gradient; does nothing if it is not wanted.
  public func add(_ gradient: Tensor, to index: Int) { nodes[index]?.receive(gradient) }

  /// Adds to an input's gradient in the buffer where it is summed, without a temporary.
  ///
  /// - Parameters:
  ///   - index: The input; nothing happens if its gradient is not wanted.
  ///   - shape: The input's shape.
  ///   - dtype: The input's dtype.
  ///   - body: Called with the buffer and whether it is empty. An empty one is not initialized and
  ///     must be overwritten; any other must be added to.
  public func accumulate(
    into index: Int,
    shape: Shape,
    dtype: DType,
    _ body: (_ buffer: inout Tensor, _ isEmpty: Bool) -> Void
  ) {
    guard let node = nodes[index] else { return }
    let isEmpty = node.gradient == nil
    // Taken out of the node, so that this is the only handle and nothing is copied.
    var buffer = node.gradient.take() ?? Tensor(uninitialized: shape, dtype: dtype)
    require(
      buffer.shape == shape && buffer.dtype == dtype,
      "gradient of \(node.operation): \(shape) added to \(buffer.shape)"
    )
    buffer.makeUnique()
    body(&buffer, isEmpty)
    node.gradient = buffer
  }
}
