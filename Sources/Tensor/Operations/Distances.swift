internal import CKernels

extension Tensor {
  /// Returns the mean of the squares of differences, `Σ (x − other)² / count`.
  ///
  /// Keeps both tensors, not their difference, until the backward pass.
  ///
  /// - Parameter other: Of the shape and dtype of `self`.
  /// - Returns: `[]`.
  /// - Precondition: `float32` or `float64`; there are elements.
  public func meanSquaredError(_ other: Tensor) -> Tensor {
    requireReal("meanSquaredError")
    requirePartner("meanSquaredError", other, shape)
    require(count > 0, "meanSquaredError: no elements in \(shape)")
    let (a, b, count) = (detached, other.detached, Double(count))
    return Tensor([(a - b).sumOfSquares() / count], shape: []).converted(to: dtype)
      .recorded("meanSquaredError", [self, other]) { dy, needs in
        let difference = (a - b).scaled(by: 2 * dy.scalar / count)
        return [needs[0] ? difference : nil, needs[1] ? difference.scaled(by: -1) : nil]
      }
  }

  /// Returns the cosine of the angle between each row and that of another tensor.
  ///
  ///     y = ⟨x, other⟩ / (‖x‖ · ‖other‖)
  ///
  /// Zero rows have cosine 0 and gradient 0.
  ///
  /// - Parameter other: Of the shape and dtype of `self`.
  /// - Returns: One number a row, of the shape of `self` without the last axis.
  /// - Precondition: `float32` or `float64`, with an axis.
  public func cosineSimilarity(_ other: Tensor) -> Tensor {
    requireReal("cosineSimilarity")
    requirePartner("cosineSimilarity", other, shape)
    require(shape.rank > 0, "cosineSimilarity: a scalar has no rows")
    let (a, b, columns) = (detached, other.detached, shape.columns)
    let y = Tensor(uninitialized: Shape(Array(shape.dimensions.dropLast())), dtype: dtype)
    withKernel(shape.rows, grain: rowGrain(columns), keeping: [a, b]) { rows in
      let (place, first) = (rows.lowerBound * columns, rows.lowerBound)
      let (count, width) = (Int64(rows.count), Int64(columns))
      if isSingle {
        slm_cosine_f32(a.floats(place), b.floats(place), count, width, y.floats(first))
      } else {
        slm_cosine_f64(a.doubles(place), b.doubles(place), count, width, y.doubles(first))
      }
    }
    return y.recorded("cosineSimilarity", [self, other]) { dy, needs in
      [
        needs[0] ? a.cosineGradient(b, dy) : nil,
        needs[1] ? b.cosineGradient(a, dy) : nil,
      ]
    }
  }

  /// The gradient by `self`.
  private func cosineGradient(_ other: Tensor, _ dy: Tensor) -> Tensor {
    let dx = Tensor(uninitialized: shape, dtype: dtype)
    let columns = shape.columns
    withKernel(shape.rows, grain: rowGrain(columns), keeping: [self, other, dy]) { rows in
      let (place, first) = (rows.lowerBound * columns, rows.lowerBound)
      let (count, width) = (Int64(rows.count), Int64(columns))
      if isSingle {
        let (x, y, out) = (floats(place), other.floats(place), dx.floats(place))
        slm_cosine_gradient_f32(x, y, dy.floats(first), count, width, out)
      } else {
        let (x, y, out) = (doubles(place), other.doubles(place), dx.doubles(place))
        slm_cosine_gradient_f64(x, y, dy.doubles(first), count, width, out)
      }
    }
    return dx
  }
}
