internal import CKernels

extension Tensor {
  /// Returns the elements with a random share of them set to 0 and the others scaled up, so that
  /// the expected value stays.
  ///
  ///     y = x / (1 − rate)  with probability 1 − rate, otherwise 0
  ///
  /// Which elements go depends on `seed` and their place alone, not on dtype or threads; the
  /// backward pass draws them again instead of keeping a mask.
  ///
  /// - Parameters:
  ///   - rate: The probability of 0, in `0..<1`, to a multiple of 2⁻³².
  ///   - seed: Names the draw; another for each use in each step.
  /// - Returns: A tensor of the shape of `self`; `self` at rate 0.
  /// - Precondition: `float32` or `float64`.
  /// - Complexity: One pass.
  ///
  /// Source: Srivastava et al., *Dropout: A Simple Way to Prevent Neural Networks from
  /// Overfitting*, 2014, section 10, inverted: scaled in training instead of after it.
  public func dropout(rate: Double, seed: UInt64) -> Tensor {
    requireReal("dropout")
    require(rate >= 0 && rate < 1, "dropout: rate \(rate) outside 0..<1")
    guard rate > 0 else { return self }
    return detached.withoutShare(rate, seed).recorded("dropout", [self]) { dy, _ in
      [dy.withoutShare(rate, seed)]
    }
  }

  private func withoutShare(_ rate: Double, _ seed: UInt64) -> Tensor {
    let y = Tensor(uninitialized: shape, dtype: dtype)
    let threshold = UInt32(min(rate * 0x1p32, 0x1p32 - 1))
    let scale = 1 / (1 - rate)
    withKernel(count, grain: elementGrain, keeping: [self]) { range in
      let (count, first) = (Int64(range.count), range.lowerBound)
      let index = UInt64(first)
      if isSingle {
        slm_dropout_f32(
          floats(first),
          seed,
          index,
          threshold,
          Float(scale),
          count,
          y.floats(first)
        )
      } else {
        slm_dropout_f64(doubles(first), seed, index, threshold, scale, count, y.doubles(first))
      }
    }
    return y
  }
}
