internal import CKernels

extension Tensor {
  /// Returns the sums along an axis.
  ///
  /// - Parameter axis: The axis that goes away; negative ones count from the end, −1 being the last.
  /// - Returns: The shape of `self` without the axis.
  /// - Precondition: `float32` or `float64`.
  public func summed(axis: Int) -> Tensor {
    requireReal("summed")
    let place = axis < 0 ? shape.rank + axis : axis
    require(place >= 0 && place < shape.rank, "summed: no axis \(axis) in \(shape)")
    let own = shape
    let (outer, count, inner) = own.split(at: place..<place + 1)
    let rest = Shape(own.dimensions.enumerated().filter { $0.offset != place }.map(\.element))
    return detached.middleSums(outer, count, inner).reshaped(rest)
      .recorded("summed", [self]) { dy, _ in [dy.repeatedMiddle(outer, count, inner, shape: own)] }
  }

  /// Returns the means along an axis.
  ///
  /// - Parameter axis: The axis that goes away; negative ones count from the end, −1 being the last.
  /// - Returns: The shape of `self` without the axis.
  /// - Precondition: `float32` or `float64`; the axis is not empty.
  public func averaged(axis: Int) -> Tensor {
    let sums = summed(axis: axis)
    return sums.scaled(by: 1 / Double(shape[axis]))
  }

  /// Sums over the axes along which `shape` was repeated to become that of `self`: the gradient of
  /// broadcasting.
  func summed(to shape: Shape) -> Tensor {
    guard shape != self.shape else { return self }
    let missing = self.shape.rank - shape.rank
    var extents = self.shape.dimensions
    let sides = Array(repeating: 1, count: missing) + shape.dimensions
    var result = detached
    var axis = 0
    while axis < extents.count {
      // Neighbouring repeated axes are one.
      var end = axis
      while end < extents.count && sides[end] == 1 { end += 1 }
      if end > axis {
        let (outer, count, inner) = Shape(extents).split(at: axis..<end)
        if count != 1 { result = result.middleSums(outer, count, inner) }
        for place in axis..<end { extents[place] = 1 }
      }
      axis = end + 1
    }
    return result.reshaped(shape)
  }

  /// Sums `self`, seen as `[outer, count, inner]`, over the middle axis.
  ///
  /// - Returns: `[outer, inner]`.
  func middleSums(_ outer: Int, _ count: Int, _ inner: Int) -> Tensor {
    guard inner > 1 || outer == 1 else {
      return reshaped([outer, count]).rowSums().reshaped([outer, inner])
    }
    let y = Tensor(uninitialized: [outer, inner], dtype: dtype)
    y.overwriteWithMiddleSums(of: self, count: count, accumulating: false)
    return y
  }

  /// Sets `self`, `[outer, inner]`, which nobody else holds, to the sums over the middle axis of
  /// `x`, seen as `[outer, count, inner]`, or adds them.
  func overwriteWithMiddleSums(of x: Tensor, count: Int, accumulating: Bool) {
    let (outer, inner) = (shape.rank == 1 ? 1 : shape.rows, shape.columns)
    let width = Int(SLM_AXIS_COLUMNS)
    let units = outer * ((inner + width - 1) / width)
    let grain = max(1, elementGrain / max(1, count * min(inner, width)))
    let (size, columns) = (Int64(count), Int64(inner))
    withKernel(units, grain: grain, keeping: [self, x]) { range in
      let (begin, end) = (Int64(range.lowerBound), Int64(range.upperBound))
      if isSingle {
        slm_axis_sums_f32(x.floats(0), size, columns, begin, end, accumulating, floats(0))
      } else {
        slm_axis_sums_f64(x.doubles(0), size, columns, begin, end, accumulating, doubles(0))
      }
    }
  }

  /// Repeats `self`, seen as `[outer, inner]`, `count` times along an axis in the middle.
  func repeatedMiddle(_ outer: Int, _ count: Int, _ inner: Int, shape: Shape) -> Tensor {
    let y = Tensor(uninitialized: shape, dtype: dtype)
    guard y.count > 0 else { return y }
    let (size, columns) = (Int64(count), Int64(inner))
    withKernel(outer * count, grain: rowGrain(inner), keeping: [self]) { range in
      let (begin, end) = (Int64(range.lowerBound), Int64(range.upperBound))
      if isSingle {
        slm_axis_repeat_f32(floats(0), size, columns, begin, end, y.floats(0))
      } else {
        slm_axis_repeat_f64(doubles(0), size, columns, begin, end, y.doubles(0))
      }
    }
    return y
  }
}

extension Shape {
  /// The number of elements before, in and after some neighbouring axes.
  fileprivate func split(at axes: Range<Int>) -> (outer: Int, count: Int, inner: Int) {
    (
      dimensions[..<axes.lowerBound].reduce(1, *), dimensions[axes].reduce(1, *),
      dimensions[axes.upperBound...].reduce(1, *)
    )
  }
}
