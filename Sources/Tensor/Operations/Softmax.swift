internal import CKernels

extension Tensor {
  /// Returns the exponentials of each row divided by their sum.
  ///
  ///     y = exp(x − max) / Σ exp(x − max)
  ///
  /// - Returns: Probabilities, of the shape of `self`; each row sums to 1.
  /// - Precondition: `float32` or `float64`; rows are not empty.
  /// - Complexity: Three passes over a row.
  public func softmax() -> Tensor { overRows("softmax", slm_softmax_f32, slm_softmax_f64) }

  /// Returns the logarithms of each row's softmax.
  ///
  ///     y = x − max − log Σ exp(x − max)
  ///
  /// - Returns: Logarithms of probabilities in nats, of the shape of `self`.
  /// - Precondition: `float32` or `float64`; rows are not empty.
  public func logSoftmax() -> Tensor {
    overRows("logSoftmax", slm_log_softmax_f32, slm_log_softmax_f64)
  }

  /// Returns the logarithm of the sum of each row's exponentials, without overflow.
  ///
  /// - Returns: One number a row, of the shape of `self` without the last axis.
  /// - Precondition: `float32` or `float64`; rows are not empty.
  public func logSumExp() -> Tensor {
    overRows("logSumExp", slm_log_sum_exp_f32, slm_log_sum_exp_f64, reduced: true)
  }

  private typealias SingleKernel =
    @Sendable (
      UnsafePointer<Float>?, Int64, Int64, UnsafeMutablePointer<Float>?
    ) -> Void
  private typealias DoubleKernel =
    @Sendable (
      UnsafePointer<Double>?, Int64, Int64, UnsafeMutablePointer<Double>?
    ) -> Void

  private func overRows(
    _ operation: StaticString,
    _ single: SingleKernel,
    _ double: DoubleKernel,
    reduced: Bool = false
  ) -> Tensor {
    requireReal(operation)
    let columns = shape.columns
    require(shape.rank > 0 && columns > 0, "\(operation): \(shape) has empty rows")
    let resultColumns = reduced ? 1 : columns
    let y = Tensor(
      uninitialized: reduced ? Shape(Array(shape.dimensions.dropLast())) : shape,
      dtype: dtype
    )
    withKernel(shape.rows, grain: max(1, rowGrain(columns) / 4), keeping: [self]) { rows in
      let (count, first) = (Int64(rows.count), rows.lowerBound)
      if isSingle {
        single(floats(first * columns), count, Int64(columns), y.floats(first * resultColumns))
      } else {
        double(doubles(first * columns), count, Int64(columns), y.doubles(first * resultColumns))
      }
    }
    return y
  }
}
