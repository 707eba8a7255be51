public import Tensor

/// An optimizer at work on certain parameters: what it keeps for each of them.
public final class OptimizerState {
  /// What is kept for one parameter, and the options of its group.
  private final class Entry {
    let parameter: Parameter
    let declared: [OptimizerSlot]
    var slots: [Tensor]
    let rateFactor: Double
    let weightDecay: Double

    init(_ parameter: Parameter, _ optimizer: any Optimizer, _ groups: ParameterGroups) {
      self.parameter = parameter
      declared = optimizer.slots(shape: parameter.shape, dtype: parameter.dtype)
      slots = declared.map { Tensor(zeros: $0.shape, dtype: $0.dtype) }
      let options = groups.options(
        parameter.name,
        shape: parameter.shape,
        weightDecay: optimizer.weightDecay
      )
      (rateFactor, weightDecay) = (options.rateFactor, options.weightDecay)
    }
  }

  /// The rule.
  public let optimizer: any Optimizer
  private let entries: [Entry]
  private let indices: [ObjectIdentifier: Int]

  /// Prepares the slots of all parameters, as zeros.
  ///
  /// - Throws: ``TrainingError`` with code `invalidOptions` if two parameters have one name or a
  ///   group fits none.
  public init(
    _ optimizer: any Optimizer,
    _ parameters: [Parameter],
    groups: ParameterGroups = ParameterGroups()
  ) throws(TrainingError) {
    try groups.check(parameters.map(\.name))
    self.optimizer = optimizer
    var entries: [Entry] = []
    var indices: [ObjectIdentifier: Int] = [:]
    var names: Set<String> = []
    for parameter in parameters {
      guard names.insert(parameter.name).inserted else {
        throw TrainingError(
          .invalidOptions,
          "two parameters to train have this name",
          at: parameter.name,
          remedy: "list every parameter once"
        )
      }
      indices[ObjectIdentifier(parameter)] = entries.count
      entries.append(Entry(parameter, optimizer, groups))
    }
    (self.entries, self.indices) = (entries, indices)
  }

  /// Changes a parameter by its gradient, which is used up.
  ///
  /// - Parameters:
  ///   - parameter: One of those the state was made for.
  ///   - gradient: Of the parameter's shape and dtype.
  ///   - rate: The learning rate before the factor of the parameter's group.
  ///   - step: The number of the step, from 1.
  ///   - gradientScale: The factor of the gradient.
  /// - Complexity: One pass over parameter, gradient and slots, nothing allocated.
  public func update(
    _ parameter: Parameter,
    _ gradient: consuming Tensor,
    rate: Double,
    step: Int,
    gradientScale: Double = 1
  ) {
    guard let index = indices[ObjectIdentifier(parameter)] else {
      fail("optimizer: \(parameter.name) is not one of its parameters")
    }
    let entry = entries[index]
    let gradient = gradient
    let step = OptimizerStep(
      rate: rate * entry.rateFactor,
      weightDecay: entry.weightDecay,
      number: step,
      gradientScale: gradientScale
    )
    parameter.update { value in
      optimizer.update(&value, gradient: gradient, slots: &entry.slots, step)
    }
  }

  // MARK: - Saving and restoring

  /// What is kept, each tensor with a name that is unique in the state, such as
  /// `first_moment.model.norm.weight`.
  public var tensors: [(name: String, tensor: Tensor)] {
    entries.flatMap { entry in
      zip(entry.declared, entry.slots).map { ("\($0.name).\(entry.parameter.name)", $1) }
    }
  }

  /// Takes over what another state of the same rule and parameters kept.
  ///
  /// - Parameter read: Returns the tensor of a name; nil if there is none.
  /// - Throws: What `read` throws, or ``TrainingError`` with code `damagedState` if a tensor is
  ///   missing or of another shape or dtype. Nothing is changed then.
  public func restore(_ read: (_ name: String) throws -> Tensor?) throws {
    var restored: [[Tensor]] = []
    for entry in entries {
      restored.append(
        try entry.declared.map { slot in
          let name = "\(slot.name).\(entry.parameter.name)"
          guard let tensor = try read(name) else {
            throw TrainingError(
              .damagedState,
              "the optimizer's state lacks a tensor",
              at: name,
              remedy: "start again without the state"
            )
          }
          guard tensor.shape == slot.shape && tensor.dtype == slot.dtype else {
            throw TrainingError(
              .damagedState,
              "the optimizer's state has \(tensor.shape) of \(tensor.dtype) instead of "
                + "\(slot.shape) of \(slot.dtype)",
              at: name,
              remedy: "start again without the state"
            )
          }
          return tensor
        }
      )
    }
    for (entry, slots) in zip(entries, restored) { entry.slots = slots }
  }

  // MARK: - Memory

  /// The bytes that a rule keeps for parameters of certain shapes, without making anything.
  public static func byteCount(
    _ optimizer: any Optimizer,
    shapes: some Sequence<Shape>,
    dtype: DType = .float32
  ) -> Int {
    shapes.reduce(0) { sum, shape in
      optimizer.slots(shape: shape, dtype: dtype).reduce(sum) { $0 + $1.byteCount }
    }
  }
}
