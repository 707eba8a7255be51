internal import CKernels

extension Tensor {
  /// Returns the exponentials of each row divided by their sum.
  ///
  ///     y = exp(x − max) / Σ exp(x − max)
  ///
  /// - Returns: Probabilities, of the shape of `self`; each row sums to 1.
  /// - Precondition: `float32` or `float64`; rows are not empty.
  /// - Complexity: Three passes over a row.
  public func softmax() -> Tensor {
    let y = overRows("softmax", slm_softmax_f32, slm_softmax_f64)
    return y.recorded("softmax", [self]) { dy, _ in
      [y.rowGradient(dy, slm_softmax_gradient_f32, slm_softmax_gradient_f64)]
    }
  }

  /// Returns the logarithms of each row's softmax.
  ///
  ///     y = x − max − log Σ exp(x − max)
  ///
  /// - Returns: Logarithms of probabilities in nats, of the shape of `self`.
  /// - Precondition: `float32` or `float64`; rows are not empty.
  public func logSoftmax() -> Tensor {
    let y = overRows("logSoftmax", slm_log_softmax_f32, slm_log_softmax_f64)
    return y.recorded("logSoftmax", [self]) { dy, _ in
      [y.rowGradient(dy, slm_log_softmax_gradient_f32, slm_log_softmax_gradient_f64)]
    }
  }

  /// Returns the logarithm of the sum of each row's exponentials, without overflow.
  ///
  /// - Returns: One number a row, of the shape of `self` without the last axis.
  /// - Precondition: `float32` or `float64`; rows are not empty.
  public func logSumExp() -> Tensor {
    let y = overRows("logSumExp", slm_log_sum_exp_f32, slm_log_sum_exp_f64, reduced: true)
    let x = detached
    return y.recorded("logSumExp", [self]) { dy, _ in [x.logSumExpGradient(y, dy)] }
  }

  private func logSumExpGradient(_ y: Tensor, _ dy: Tensor) -> Tensor {
    let dx = Tensor(uninitialized: shape, dtype: dtype)
    let columns = shape.columns
    withKernel(shape.rows, grain: rowGrain(4 * columns), keeping: [self, y, dy]) { rows in
      let (first, place) = (rows.lowerBound, rows.lowerBound * columns)
      let (count, width) = (Int64(rows.count), Int64(columns))
      if isSingle {
        let (y, dy) = (y.floats(first), dy.floats(first))
        slm_log_sum_exp_gradient_f32(floats(place), y, dy, count, width, dx.floats(place))
      } else {
        let (y, dy) = (y.doubles(first), dy.doubles(first))
        slm_log_sum_exp_gradient_f64(doubles(place), y, dy, count, width, dx.doubles(place))
      }
    }
    return dx
  }

  private typealias SingleGradient =
    @Sendable (
      UnsafePointer<Float>?, UnsafePointer<Float>?, Int64, Int64, UnsafeMutablePointer<Float>?
    ) -> Void
  private typealias DoubleGradient =
    @Sendable (
      UnsafePointer<Double>?, UnsafePointer<Double>?, Int64, Int64, UnsafeMutablePointer<Double>?
    ) -> Void

  /// The gradient by the input of an operation on rows whose result is `self`.
  private func rowGradient(
    _ dy: Tensor,
    _ single: SingleGradient,
    _ double: DoubleGradient
  ) -> Tensor {
    let dx = Tensor(uninitialized: shape, dtype: dtype)
    let columns = shape.columns
    withKernel(shape.rows, grain: max(1, rowGrain(columns) / 4), keeping: [self, dy]) { rows in
      let (count, place) = (Int64(rows.count), rows.lowerBound * columns)
      if isSingle {
        single(floats(place), dy.floats(place), count, Int64(columns), dx.floats(place))
      } else {
        double(doubles(place), dy.doubles(place), count, Int64(columns), dx.doubles(place))
      }
    }
    return dx
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
