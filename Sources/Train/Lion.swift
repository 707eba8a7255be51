internal import CKernels
public import Tensor

/// Steps of equal size in the direction of the sign of a mean gradient.
///
///     w = (1 − rate·decay)·w − rate · sign(beta1·m + (1 − beta1)·g)
///     m = beta2·m + (1 − beta2)·g
///
/// Keeps half of what AdamW keeps. Its steps are larger than AdamW's at the same learning rate: the
/// authors advise a rate three to ten times smaller and a decay larger by the same factor.
///
/// Source: Chen et al., *Symbolic Discovery of Optimization Algorithms*, 2023, arXiv:2302.06675,
/// program 1, with decay before the step.
public struct Lion: Optimizer, Hashable {
  /// How much of the mean gradient counts in the direction of a step, in `0..<1`.
  public var beta1: Double
  /// How much of the mean gradient a step keeps, in `0..<1`.
  public var beta2: Double
  /// The decay for groups that set none.
  public var weightDecay: Double

  /// Creates the rule, by default with the settings of the paper.
  public init(beta1: Double = 0.9, beta2: Double = 0.99, weightDecay: Double = 0) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.weightDecay = weightDecay
  }

  /// The rule and its settings.
  public var summary: String { "lion beta1=\(beta1) beta2=\(beta2) decay=\(weightDecay)" }

  /// The mean gradient.
  public func slots(shape: Shape, dtype: DType) -> [OptimizerSlot] {
    [OptimizerSlot("momentum", shape: shape, dtype: dtype)]
  }

  /// Changes a parameter in place, in one pass over it, its gradient and momentum.
  public func update(
    _ parameter: inout Tensor,
    gradient: Tensor,
    slots: inout [Tensor],
    _ step: OptimizerStep
  ) {
    let settings = slm_lion(
      keep: step.kept,
      gradient_scale: step.gradientScale,
      beta1: beta1,
      beta2: beta2,
      rate: step.rate
    )
    if parameter.dtype == .float32 {
      forEachPart(of: &parameter, gradient, &slots, as: Float.self) {
        slm_lion_f32(settings, $0, $1, $2, $3[0])
      }
    } else {
      forEachPart(of: &parameter, gradient, &slots, as: Double.self) {
        slm_lion_f64(settings, $0, $1, $2, $3[0])
      }
    }
  }
}
