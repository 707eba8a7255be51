internal import CKernels

/// A function applied to each element by itself.
public enum PointwiseFunction: Int32, Sendable, CaseIterable {
  /// `exp(x)`, within 1.1 units in the last place.
  case exponential = 0
  /// The natural logarithm.
  case logarithm
  /// `√x`.
  case squareRoot
  /// `x²`.
  case square
  /// `|x|`.
  case absolute
  /// `tanh(x)`.
  case tanh
  /// `1 / (1 + exp(−x))`.
  case sigmoid
  /// `x · sigmoid(x)`, also called swish.
  case silu
  /// `max(x, 0)`.
  case relu
  /// `x/2 · (1 + erf(x/√2))`.
  case gelu
  /// `x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))`.
  case geluTanh
}

extension Tensor {
  /// Returns `function` of each element.
  ///
  /// Keeps `self` until the backward pass; at a kink the gradient is 0.
  ///
  /// - Precondition: `float32` or `float64`.
  public func mapped(_ function: PointwiseFunction) -> Tensor {
    requireReal("mapped")
    let x = detached
    return x.values(of: function).recorded("mapped", [self]) { dy, _ in
      [x.gradient(of: function, dy)]
    }
  }

  private func values(of function: PointwiseFunction) -> Tensor {
    let y = Tensor(uninitialized: shape, dtype: dtype)
    withKernel(count, grain: elementGrain, keeping: [self]) { range in
      let (count, first) = (Int64(range.count), range.lowerBound)
      if isSingle {
        slm_unary_f32(function.rawValue, floats(first), count, y.floats(first))
      } else {
        slm_unary_f64(function.rawValue, doubles(first), count, y.doubles(first))
      }
    }
    return y
  }

  /// The gradient `function′(self) ⊙ dy`.
  func gradient(of function: PointwiseFunction, _ dy: Tensor) -> Tensor {
    let dx = Tensor(uninitialized: shape, dtype: dtype)
    withKernel(count, grain: elementGrain, keeping: [self, dy]) { range in
      let (count, first) = (Int64(range.count), range.lowerBound)
      if isSingle {
        slm_unary_gradient_f32(
          function.rawValue,
          floats(first),
          dy.floats(first),
          count,
          dx.floats(first)
        )
      } else {
        slm_unary_gradient_f64(
          function.rawValue,
          doubles(first),
          dy.doubles(first),
          count,
          dx.doubles(first)
        )
      }
    }
    return dx
  }

  /// Returns `x · sigmoid(x)` of each element.
  public func silu() -> Tensor { mapped(.silu) }

  /// Returns `x/2 · (1 + erf(x/√2))` of each element, or its approximation by tanh (GPT-2,
  /// Gemma).
  ///
  /// Source: Hendrycks and Gimpel, *Gaussian Error Linear Units*, 2016, arXiv:1606.08415,
  /// section 2.
  public func gelu(approximated: Bool = false) -> Tensor {
    mapped(approximated ? .geluTanh : .gelu)
  }

  /// Returns `cap · tanh(x / cap)`, which keeps elements within ±`cap` (Gemma 2).
  ///
  /// Keeps `self` until the backward pass.
  public func softCapped(_ cap: Double) -> Tensor {
    let x = detached
    return x.scaled(by: 1 / cap).values(of: .tanh).scaled(by: cap)
      .recorded("softCapped", [self]) { dy, _ in [x.scaled(by: 1 / cap).gradient(of: .tanh, dy)] }
  }

  /// Returns `scale · x + shift` of each element.
  ///
  /// - Precondition: `float32` or `float64`.
  public func scaled(by scale: Double, shift: Double = 0) -> Tensor {
    requireReal("scaled")
    let y = Tensor(uninitialized: shape, dtype: dtype)
    withKernel(count, grain: elementGrain, keeping: [self]) { range in
      let (count, first) = (Int64(range.count), range.lowerBound)
      if isSingle {
        slm_affine_f32(floats(first), Float(scale), Float(shift), count, y.floats(first))
      } else {
        slm_affine_f64(doubles(first), scale, shift, count, y.doubles(first))
      }
    }
    return y.recorded("scaled", [self]) { dy, _ in [dy.scaled(by: scale)] }
  }
}
