internal import CKernels
public import Tensor

/// A rule that changes a parameter by its gradient.
///
/// A rule is a value: what it keeps from step to step, such as moments, lies in slots that
/// ``OptimizerState`` owns, saves and restores, the same way for every rule.
public protocol Optimizer: Sendable {
  /// The rule and its settings, by which a saved state is told from that of another rule.
  var summary: String { get }

  /// The weight decay of parameters whose group does not say otherwise.
  var weightDecay: Double { get }

  /// What is kept for a parameter; everything starts as zero.
  func slots(shape: Shape, dtype: DType) -> [OptimizerSlot]

  /// Changes a parameter in place.
  ///
  /// - Parameters:
  ///   - parameter: The value to change, `float32` or `float64`.
  ///   - gradient: Of the same shape and dtype.
  ///   - slots: What ``slots(shape:dtype:)`` declares, in that order.
  ///   - step: Learning rate, decay and the number of the step.
  func update(
    _ parameter: inout Tensor,
    gradient: Tensor,
    slots: inout [Tensor],
    _ step: OptimizerStep
  )
}

/// Something that an optimizer keeps for a parameter from step to step.
public struct OptimizerSlot: Sendable, Hashable {
  /// What it is, such as `first_moment`; part of a tensor's name in a saved state.
  public var name: String
  /// The extents.
  public var shape: Shape
  /// The type of the elements.
  public var dtype: DType

  /// Creates a slot.
  public init(_ name: String, shape: Shape, dtype: DType) {
    self.name = name
    self.shape = shape
    self.dtype = dtype
  }

  /// The size in bytes.
  public var byteCount: Int { shape.count * dtype.byteCount }
}

/// What an update depends on besides the gradient.
public struct OptimizerStep: Sendable, Hashable {
  /// The learning rate.
  public var rate: Double
  /// The weight decay, a fraction of the parameter per unit of learning rate.
  public var weightDecay: Double
  /// The number of the step, from 1.
  public var number: Int
  /// The factor of the gradient, 1 unless it is clipped.
  public var gradientScale: Double

  /// Creates the description of a step.
  public init(rate: Double, weightDecay: Double = 0, number: Int, gradientScale: Double = 1) {
    self.rate = rate
    self.weightDecay = weightDecay
    self.number = number
    self.gradientScale = gradientScale
  }

  /// What decoupled decay leaves of a parameter.
  var kept: Double { 1 - rate * weightDecay }
}

/// Elements of a parameter that are worth a part of a parallel update.
let updateGrain = 1 << 14

extension Tensor {
  /// The address of the elements, which no other handle shares any more; valid until the tensor
  /// changes.
  mutating func ownedElements<Element: TensorElement>(
    as type: Element.Type
  ) -> UnsafeMutablePointer<Element> {
    withMutableElements(as: type) { _ in }
    return unsafeBase.assumingMemoryBound(to: type)
  }
}

/// Runs a kernel over parts of a parameter, its gradient and slots of the same shape and dtype.
///
/// Parts do not depend on each other, so neither does the result depend on how many there are.
func forEachPart<Element: TensorElement>(
  of parameter: inout Tensor,
  _ gradient: Tensor,
  _ slots: inout [Tensor],
  as type: Element.Type,
  _ kernel:
    @Sendable (
      _ gradient: UnsafePointer<Element>,
      _ count: Int64,
      _ parameter: UnsafeMutablePointer<Element>,
      _ slots: [UnsafeMutablePointer<Element>]
    ) -> Void
) {
  require(
    gradient.shape == parameter.shape && gradient.dtype == parameter.dtype,
    "optimizer: a gradient \(gradient.shape) of \(gradient.dtype) for \(parameter.shape) of "
      + "\(parameter.dtype)"
  )
  guard parameter.count > 0 else { return }
  let target = Shared(parameter.ownedElements(as: type))
  let source = Shared(gradient.unsafeBase.assumingMemoryBound(to: type))
  let kept = Shared(slots.indices.map { slots[$0].ownedElements(as: type) })
  parallelRanges(parameter.count, grain: updateGrain) { range in
    let start = range.lowerBound
    kernel(
      source.pointer + start,
      Int64(range.count),
      target.pointer + start,
      kept.pointer.map { $0 + start }
    )
  }
  withExtendedLifetime((parameter, gradient, slots)) {}
}
