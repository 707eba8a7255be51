internal import CKernels

extension Tensor {
  /// Returns a matrix made of levels and of scales that are kept apart: a quantized weight whose
  /// scales are trained.
  ///
  ///     W = scale · level + offset · shift        scale and offset of the element's group
  ///
  /// Backward: dscale = Σ_group dW · level and doffset = Σ_group dW · shift, summed where they are
  /// wanted. Keeps nothing but the levels as they are stored.
  ///
  /// ```swift
  /// // 4-bit codes, the levels −8...7:
  /// let levels = StoredMatrix(codes: codes, bits: 4, groupSize: columns, scales: ones, columns: columns)
  /// let weight = scales.value.scaledLevels(of: levels, groupSize: 32)
  /// ```
  ///
  /// - Parameters:
  ///   - levels: What the scales multiply, `[M, N]`, in any stored form.
  ///   - groupSize: The columns that share a scale; the last group of a row may be shorter.
  ///   - offsets: A number for each group, of the shape and dtype of `self`.
  ///   - shifts: What offsets are multiplied by, `[M, N]`; 1 if nil.
  /// - Returns: `[M, N]`, of the dtype of `self`.
  /// - Precondition: `self` is `[M, groups]`, of `float32` or `float64`.
  /// - Complexity: One pass over the levels, backward another one.
  public func scaledLevels(
    of levels: StoredMatrix,
    groupSize: Int,
    offsets: Tensor? = nil,
    shifts: StoredMatrix? = nil
  ) -> Tensor {
    requireGroups("scaledLevels", levels, groupSize)
    if let offsets { requirePartner("scaledLevels", offsets, shape) }
    require(
      shifts.map { $0.rows == levels.rows && $0.columns == levels.columns } ?? true,
      "scaledLevels: levels and shifts are of different shapes"
    )
    let (scales, offset, group) = (detached, offsets?.detached, Int64(groupSize))
    let result = Tensor(uninitialized: [levels.rows, levels.columns], dtype: dtype)
    levels.eachRows(with: shifts, keeping: [scales, offset, result]) { rows, levels, shifts in
      let (first, count) = (Int64(rows.lowerBound), Int64(rows.count))
      if scales.isSingle {
        slm_levels_apply_f32(
          levels,
          shifts,
          first,
          count,
          group,
          scales.floats(0),
          offset?.floats(0),
          result.floats(0)
        )
      } else {
        slm_levels_apply_f64(
          levels,
          shifts,
          first,
          count,
          group,
          scales.doubles(0),
          offset?.doubles(0),
          result.doubles(0)
        )
      }
    }
    let (shape, type) = (shape, dtype)
    return result.recorded(
      "scaledLevels",
      [self] + (offsets.map { [$0] } ?? []),
      accumulating: { dy, slots in
        slots.accumulatePair(0, offset == nil ? nil : 1, shape, type) { scale, offset in
          levels.eachRows(
            with: offset == nil ? nil : shifts,
            keeping: [dy, scale?.buffer, offset?.buffer]
          ) { rows, levels, shifts in
            let (first, count) = (Int64(rows.lowerBound), Int64(rows.count))
            if dy.isSingle {
              slm_levels_gradient_f32(
                levels,
                shifts,
                first,
                count,
                group,
                dy.floats(0),
                scale?.isEmpty == false,
                scale?.buffer.floats(0),
                offset?.isEmpty == false,
                offset?.buffer.floats(0)
              )
            } else {
              slm_levels_gradient_f64(
                levels,
                shifts,
                first,
                count,
                group,
                dy.doubles(0),
                scale?.isEmpty == false,
                scale?.buffer.doubles(0),
                offset?.isEmpty == false,
                offset?.buffer.doubles(0)
              )
            }
          }
        }
      }
    )
  }

  func requireGroups(_ operation: StaticString, _ matrix: StoredMatrix, _ groupSize: Int) {
    requireReal(operation)
    require(
      groupSize > 0
        && shape == [matrix.rows, (matrix.columns + groupSize - 1) / max(1, groupSize)],
      "\(operation): \(shape) is no scale per group of \(groupSize) of "
        + "[\(matrix.rows), \(matrix.columns)]"
    )
  }
}

extension StoredMatrix {
  /// Calls `body` with ranges of rows from several threads, and with the matrices as kernels see
  /// them.
  func eachRows(
    with other: StoredMatrix? = nil,
    keeping tensors: [Tensor?],
    _ body:
      @Sendable (
        Range<Int>, _ matrix: UnsafePointer<slm_matrix>, _ other: UnsafePointer<slm_matrix>?
      ) -> Void
  ) {
    func run(_ matrix: UnsafePointer<slm_matrix>, _ other: UnsafePointer<slm_matrix>?) {
      let shared = Shared((matrix, other))
      withKernel(rows, grain: rowGrain(columns), keeping: tensors) { range in
        body(range, shared.pointer.0, shared.pointer.1)
      }
    }
    withKernelMatrix { matrix in
      if let other { other.withKernelMatrix { run(matrix, $0) } } else { run(matrix, nil) }
    }
  }
}

/// A gradient's buffer, and whether it is to be overwritten.
struct SummedGradient: Sendable {
  let buffer: Tensor
  let isEmpty: Bool
}

extension GradientSlots {
  /// Hands out the buffers of two inputs of one shape at once; nil for one that is not wanted.
  func accumulatePair(
    _ first: Int,
    _ second: Int?,
    _ shape: Shape,
    _ dtype: DType,
    _ body: (_ first: SummedGradient?, _ second: SummedGradient?) -> Void
  ) {
    func withFirst(_ second: SummedGradient?) {
      guard isNeeded(first) else { return body(nil, second) }
      accumulate(into: first, shape: shape, dtype: dtype) {
        body(SummedGradient(buffer: $0, isEmpty: $1), second)
      }
    }
    guard let second, isNeeded(second) else { return withFirst(nil) }
    accumulate(into: second, shape: shape, dtype: dtype) {
      withFirst(SummedGradient(buffer: $0, isEmpty: $1))
    }
  }
}
