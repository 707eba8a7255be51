internal import CKernels
internal import Foundation
public import Tensor

/// Adam with weight decay that is decoupled from the gradient.
///
///     m = beta1·m + (1 − beta1)·g
///     v = beta2·v + (1 − beta2)·g²
///     w = (1 − rate·decay)·w − rate/(1 − beta1ᵗ) · m / (√v / √(1 − beta2ᵗ) + epsilon)
///
/// Source: Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, 2017,
/// arXiv:1711.05101, algorithm 2, with the decay multiplied by the learning rate and the order of
/// operations of `torch.optim.AdamW`. Differs from it in that `t` is the step of the whole
/// training, also for a parameter that had no gradient in some step.
public struct AdamW: Optimizer, Hashable {
  /// How the moments are stored.
  public enum Moments: String, Sendable, Hashable, CaseIterable {
    /// In the parameter's dtype: 8 bytes per `float32` element.
    case full
    /// As 8-bit codes in blocks of 256, see ``EightBitMoments``: 2.03 bytes per element.
    ///
    /// Parameters of less than 4096 elements, and those of `float64`, keep full moments.
    case eightBit = "8bit"
  }

  /// How much of the first moment, the mean gradient, a step keeps, in `0..<1`.
  public var beta1: Double
  /// How much of the second moment, the mean squared gradient, a step keeps, in `0..<1`.
  public var beta2: Double
  /// Added to the root of the second moment, in units of the gradient; positive.
  public var epsilon: Double
  /// The decay for groups that set none.
  public var weightDecay: Double
  /// How the moments are stored.
  public var moments: Moments

  /// Creates the rule, by default with the settings of `torch.optim.AdamW`.
  public init(
    beta1: Double = 0.9,
    beta2: Double = 0.999,
    epsilon: Double = 1e-8,
    weightDecay: Double = 0.01,
    moments: Moments = .full
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.moments = moments
  }

  /// The rule and its settings.
  public var summary: String {
    "adamw beta1=\(beta1) beta2=\(beta2) epsilon=\(epsilon) decay=\(weightDecay) "
      + "moments=\(moments.rawValue)"
  }

  /// Both moments, or their codes and scales.
  public func slots(shape: Shape, dtype: DType) -> [OptimizerSlot] {
    guard isCoded(shape, dtype) else {
      return [
        OptimizerSlot("first_moment", shape: shape, dtype: dtype),
        OptimizerSlot("second_moment", shape: shape, dtype: dtype),
      ]
    }
    let blocks: Shape = [EightBitMoments.blockCount(of: shape.count)]
    return [
      OptimizerSlot("first_moment_codes", shape: shape, dtype: .uint8),
      OptimizerSlot("first_moment_scales", shape: blocks, dtype: .float32),
      OptimizerSlot("second_moment_codes", shape: shape, dtype: .uint8),
      OptimizerSlot("second_moment_scales", shape: blocks, dtype: .float32),
    ]
  }

  private func isCoded(_ shape: Shape, _ dtype: DType) -> Bool {
    moments == .eightBit && dtype == .float32
      && shape.count >= EightBitMoments.minimumElementCount
  }

  /// Changes a parameter in place, in one pass over it, its gradient and moments.
  public func update(
    _ parameter: inout Tensor,
    gradient: Tensor,
    slots: inout [Tensor],
    _ step: OptimizerStep
  ) {
    let settings = slm_adamw(
      keep: step.kept,
      gradient_scale: step.gradientScale,
      first_weight: 1 - beta1,
      beta2: beta2,
      second_weight: 1 - beta2,
      root_correction: (1 - pow(beta2, Double(step.number))).squareRoot(),
      epsilon: epsilon,
      step_size: step.rate / (1 - pow(beta1, Double(step.number)))
    )
    if isCoded(parameter.shape, parameter.dtype) {
      EightBitMoments.update(&parameter, gradient: gradient, slots: &slots, settings)
    } else if parameter.dtype == .float32 {
      forEachPart(of: &parameter, gradient, &slots, as: Float.self) {
        slm_adamw_f32(settings, $0, $1, $2, $3[0], $3[1])
      }
    } else {
      forEachPart(of: &parameter, gradient, &slots, as: Double.self) {
        slm_adamw_f64(settings, $0, $1, $2, $3[0], $3[1])
      }
    }
  }
}
