internal import CKernels

extension Tensor {
  /// Returns the sum of all elements, accumulated in double precision.
  ///
  /// - Returns: `[]`, of the dtype of `self`.
  /// - Precondition: `float32` or `float64`.
  public func summed() -> Tensor { total("summed", scale: 1) }

  /// Returns the mean of all elements, accumulated in double precision.
  ///
  /// - Returns: `[]`, of the dtype of `self`.
  /// - Precondition: `float32` or `float64`; there are elements.
  public func averaged() -> Tensor {
    require(count > 0, "averaged: no elements in \(shape)")
    return total("averaged", scale: 1 / Double(count))
  }

  private func total(_ operation: StaticString, scale: Double) -> Tensor {
    requireReal(operation)
    let (shape, dtype) = (shape, dtype)
    return Tensor([scale * sum()], shape: []).converted(to: dtype)
      .recorded(operation, [self]) { dy, _ in
        [dy.scaled(by: scale).repeatedMiddle(1, shape.count, 1, shape: shape)]
      }
  }

  /// Returns the sum of all elements, accumulated in double precision, as a plain number: no
  /// gradient passes through it.
  public func sum() -> Double {
    requireReal("sum")
    defer { withExtendedLifetime(self) {} }
    return isSingle ? slm_sum_f32(floats(0), Int64(count)) : slm_sum_f64(doubles(0), Int64(count))
  }

  /// Returns the mean of all elements, accumulated in double precision, as a plain number.
  public func mean() -> Double { sum() / Double(count) }

  /// Returns the sum of products with another tensor's elements, as a plain number.
  ///
  /// - Precondition: Both are of one shape and dtype, `float32` or `float64`.
  public func dot(_ other: Tensor) -> Double {
    requireReal("dot")
    requirePartner("dot", other, shape)
    defer { withExtendedLifetime((self, other)) {} }
    return isSingle
      ? slm_dot_f32(floats(0), other.floats(0), Int64(count))
      : slm_dot_f64(doubles(0), other.doubles(0), Int64(count))
  }

  /// Returns the sum of the squares of all elements, as a plain number.
  public func sumOfSquares() -> Double { dot(self) }

  /// Returns the largest absolute value, 0 if there are no elements, as a plain number.
  public func largestMagnitude() -> Double {
    requireReal("largestMagnitude")
    defer { withExtendedLifetime(self) {} }
    return isSingle
      ? slm_largest_f32(floats(0), Int64(count)) : slm_largest_f64(doubles(0), Int64(count))
  }

  /// Returns the mean of each row, of the shape of `self` without the last axis.
  ///
  /// - Precondition: `float32` or `float64`; rows are not empty.
  public func rowMeans() -> Tensor {
    require(shape.columns > 0, "rowMeans: \(shape) has empty rows")
    return rowSums().scaled(by: 1 / Double(shape.columns))
  }

  /// Returns the sum of each row, of the shape of `self` without the last axis.
  public func rowSums() -> Tensor {
    requireReal("rowSums")
    let columns = shape.columns
    let y = Tensor(uninitialized: Shape(Array(shape.dimensions.dropLast())), dtype: dtype)
    withKernel(shape.rows, grain: rowGrain(columns), keeping: [self]) { rows in
      let (count, first) = (Int64(rows.count), rows.lowerBound)
      if isSingle {
        slm_row_sums_f32(floats(first * columns), count, Int64(columns), y.floats(first))
      } else {
        slm_row_sums_f64(doubles(first * columns), count, Int64(columns), y.doubles(first))
      }
    }
    let shape = shape
    return y.recorded("rowSums", [self]) { dy, _ in
      [dy.repeatedMiddle(shape.rows, columns, 1, shape: shape)]
    }
  }

  /// Returns the sum of each column over all rows, of the elements or their squares.
  ///
  /// - Returns: `[D]`, `float64`, for `[..., D]`.
  public func columnSums(squared: Bool = false) -> Tensor {
    requireReal("columnSums")
    let columns = shape.columns
    let y = Tensor(zeros: [columns], dtype: .float64)
    let (rows, power) = (Int64(shape.rows), Int32(squared ? 1 : 0))
    withKernel(columns, grain: max(64, rowGrain(shape.rows)), keeping: [self]) { range in
      let (count, first) = (Int64(range.count), range.lowerBound)
      if isSingle {
        slm_column_sums_f32(floats(first), rows, count, Int64(columns), power, y.doubles(first))
      } else {
        slm_column_sums_f64(doubles(first), rows, count, Int64(columns), power, y.doubles(first))
      }
    }
    let (shape, dtype, x) = (shape, dtype, squared ? detached : nil)
    return y.recorded("columnSums", [self]) { dy, _ in
      let dy = dy.converted(to: dtype)
      if let x { return [x * dy.scaled(by: 2)] }
      return [dy.repeatedMiddle(1, shape.rows, columns, shape: shape)]
    }
  }

  /// Returns the column of each row's largest element, the first if there are several.
  ///
  /// Columns are integers, through which no gradient passes.
  ///
  /// - Returns: `int32`, of the shape of `self` without the last axis.
  /// - Precondition: `float32` or `float64`; rows are not empty.
  public func largestColumns() -> Tensor {
    requireReal("largestColumns")
    let columns = shape.columns
    require(shape.rank > 0 && columns > 0, "largestColumns: \(shape) has empty rows")
    let y = Tensor(uninitialized: Shape(Array(shape.dimensions.dropLast())), dtype: .int32)
    withKernel(shape.rows, grain: rowGrain(columns), keeping: [self]) { rows in
      let (count, first) = (Int64(rows.count), rows.lowerBound)
      let out = y.unsafeBase.assumingMemoryBound(to: Int32.self) + first
      if isSingle {
        slm_largest_column_f32(floats(first * columns), count, Int64(columns), out)
      } else {
        slm_largest_column_f64(doubles(first * columns), count, Int64(columns), out)
      }
    }
    return y
  }
}
