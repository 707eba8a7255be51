internal import CKernels
public import Tensor

/// Gradient descent, with or without momentum.
///
///     d = g + decay·w
///     u = momentum·u + d
///     w = w − rate·u                      or, after Nesterov, w − rate·(d + momentum·u)
///
/// Decay is part of the gradient, as in `torch.optim.SGD`, not decoupled from it.
///
/// Source: Sutskever et al., *On the Importance of Initialization and Momentum in Deep Learning*,
/// 2013, sections 2 and 3, with the learning rate outside of the momentum as torch has it.
public struct StochasticGradientDescent: Optimizer, Hashable {
  /// How much of the velocity a step keeps, in `0..<1`; nothing is kept in memory if 0.
  public var momentum: Double
  /// Whether the step looks ahead along the velocity.
  public var isNesterov: Bool
  /// The decay for groups that set none.
  public var weightDecay: Double

  /// Creates the rule, by default without momentum and decay.
  public init(momentum: Double = 0, isNesterov: Bool = false, weightDecay: Double = 0) {
    self.momentum = momentum
    self.isNesterov = isNesterov
    self.weightDecay = weightDecay
  }

  /// The rule and its settings.
  public var summary: String {
    "sgd momentum=\(momentum) nesterov=\(isNesterov) decay=\(weightDecay)"
  }

  /// The velocity, if there is momentum.
  public func slots(shape: Shape, dtype: DType) -> [OptimizerSlot] {
    momentum == 0 ? [] : [OptimizerSlot("velocity", shape: shape, dtype: dtype)]
  }

  /// Changes a parameter in place, in one pass over it, its gradient and velocity.
  public func update(
    _ parameter: inout Tensor,
    gradient: Tensor,
    slots: inout [Tensor],
    _ step: OptimizerStep
  ) {
    let settings = slm_sgd(
      decay: step.weightDecay,
      gradient_scale: step.gradientScale,
      momentum: momentum,
      rate: step.rate,
      nesterov: isNesterov ? 1 : 0
    )
    if parameter.dtype == .float32 {
      forEachPart(of: &parameter, gradient, &slots, as: Float.self) {
        slm_sgd_f32(settings, $0, $1, $2, $3.first)
      }
    } else {
      forEachPart(of: &parameter, gradient, &slots, as: Double.self) {
        slm_sgd_f64(settings, $0, $1, $2, $3.first)
      }
    }
  }
}
