internal import CKernels

/// The codes that a weight can be rounded to, and how they are placed.
package struct LevelGrid: Sendable {
  /// The columns that share a scale.
  package var groupSize: Int
  /// The largest code.
  package var top: Int
  /// The code of zero where groups have none of their own.
  package var middle: Int
  /// The code of zero of each group, `[M, groups]`, `uint8`; nil for `middle`.
  package var zeros: Tensor?
  /// Whether what is rounded is given in scales from the offset on, so that it changes with both,
  /// and not as the weight that it is.
  package var countsInScales: Bool

  /// Makes a grid.
  package init(
    groupSize: Int,
    top: Int,
    middle: Int,
    zeros: Tensor? = nil,
    countsInScales: Bool = false
  ) {
    self.groupSize = groupSize
    self.top = top
    self.middle = middle
    self.zeros = zeros
    self.countsInScales = countsInScales
  }

  /// The addresses and numbers that kernels take.
  var zeroBytes: UnsafePointer<UInt8>? {
    zeros.map { UnsafePointer($0.unsafeBase.assumingMemoryBound(to: UInt8.self)) }
  }
}

extension Tensor {
  /// Returns a weight rounded to a grid with trained scales, through which gradients pass.
  ///
  ///     code = clamp(round((w − offset) / scale + move) + zero, 0, top)
  ///     W = scale · (code − zero) + offset
  ///
  /// Backward, rounding being taken for the identity, with `in` 1 where nothing was cut off:
  /// dscale = Σ_group dW · (code − zero − in · (w − offset) / scale),
  /// doffset = Σ_group dW · (1 − in), and dmove = dW · scale · in. A move in units of the scale is
  /// a change of the weight itself.
  ///
  /// Where the grid counts in scales, `w` stands in place of `(w − offset) / scale`; then dscale =
  /// Σ_group dW · (code − zero) and doffset = Σ_group dW, as if codes were constants.
  ///
  /// - Parameters:
  ///   - weight: What is rounded, a constant, `[M, N]`.
  ///   - grid: The codes.
  ///   - offsets: What the first code stands for, of the shape and dtype of `self`; nil for grids
  ///     with a code of zero.
  ///   - moves: By how many codes each weight is moved before it is rounded, `[M, N]`, of the dtype
  ///     of `self`.
  /// - Returns: `[M, N]`, of the dtype of `self`.
  /// - Precondition: `self` is `[M, groups]`, of `float32` or `float64`.
  ///
  /// Source: Esser et al., *Learned Step Size Quantization*, 2019, arXiv:1902.08153, equation 3, for
  /// the scale; Cheng et al., *Optimize Weight Rounding via Signed Gradient Descent* (AutoRound),
  /// 2023, arXiv:2309.05516, equation 3, for the moves.
  package func roundedLevels(
    of weight: StoredMatrix,
    grid: LevelGrid,
    offsets: Tensor? = nil,
    moves: Tensor? = nil
  ) -> Tensor {
    requireRounding(weight, grid, offsets, moves)
    let result = Tensor(uninitialized: [weight.rows, weight.columns], dtype: dtype)
    round(weight, grid, offsets, moves, codes: nil, result: result)
    let (shape, type) = (shape, dtype)
    let (scales, offset, move) = (detached, offsets?.detached, moves?.detached)
    return result.recorded(
      "roundedLevels",
      [self] + [offsets, moves].compactMap(\.self),
      accumulating: { dy, slots in
        let place = offset == nil ? 1 : 2
        func send(_ sum: SummedGradient?) {
          slots.accumulatePair(0, offset == nil ? nil : 1, shape, type) { dscale, doffset in
            scales.sendRounding(weight, grid, offset, move, dy, dscale, doffset, sum)
          }
        }
        guard move != nil, slots.isNeeded(place) else { return send(nil) }
        slots.accumulate(into: place, shape: dy.shape, dtype: type) {
          send(SummedGradient(buffer: $0, isEmpty: $1))
        }
      }
    )
  }

  /// The codes of ``roundedLevels(of:grid:offsets:moves:)``, one a byte, `[M, N]`, `uint8`.
  package func levelCodes(
    of weight: StoredMatrix,
    grid: LevelGrid,
    offsets: Tensor? = nil,
    moves: Tensor? = nil
  ) -> Tensor {
    requireRounding(weight, grid, offsets, moves)
    let codes = Tensor(uninitialized: [weight.rows, weight.columns], dtype: .uint8)
    round(weight, grid, offsets, moves, codes: codes, result: nil)
    return codes
  }

  private func requireRounding(
    _ weight: StoredMatrix,
    _ grid: LevelGrid,
    _ offsets: Tensor?,
    _ moves: Tensor?
  ) {
    requireGroups("roundedLevels", weight, grid.groupSize)
    if let offsets { requirePartner("roundedLevels: offsets", offsets, shape) }
    if let moves {
      requirePartner("roundedLevels: moves", moves, [weight.rows, weight.columns])
    }
    if let zeros = grid.zeros {
      require(
        zeros.shape == shape && zeros.dtype == .uint8,
        "roundedLevels: zeros are \(zeros.shape) of \(zeros.dtype), not \(shape)"
      )
    }
    require((1...255).contains(grid.top), "roundedLevels: codes up to \(grid.top)")
  }

  private func round(
    _ weight: StoredMatrix,
    _ grid: LevelGrid,
    _ offsets: Tensor?,
    _ moves: Tensor?,
    codes: Tensor?,
    result: Tensor?
  ) {
    let (scales, offset, move) = (detached, offsets?.detached, moves?.detached)
    let bytes = Shared(codes?.unsafeBase.assumingMemoryBound(to: UInt8.self))
    let zeros = Shared(grid.zeroBytes)
    let (group, top, middle) = (Int64(grid.groupSize), Int32(grid.top), Int32(grid.middle))
    weight.eachRows(keeping: [scales, offset, move, codes, result, grid.zeros]) { rows, weight, _ in
      let (first, count) = (Int64(rows.lowerBound), Int64(rows.count))
      if scales.isSingle {
        slm_levels_round_f32(
          weight,
          grid.countsInScales,
          first,
          count,
          group,
          top,
          middle,
          zeros.pointer,
          scales.floats(0),
          offset?.floats(0),
          move?.floats(0),
          bytes.pointer,
          result?.floats(0)
        )
      } else {
        slm_levels_round_f64(
          weight,
          grid.countsInScales,
          first,
          count,
          group,
          top,
          middle,
          zeros.pointer,
          scales.doubles(0),
          offset?.doubles(0),
          move?.doubles(0),
          bytes.pointer,
          result?.doubles(0)
        )
      }
    }
  }

  private func sendRounding(
    _ weight: StoredMatrix,
    _ grid: LevelGrid,
    _ offsets: Tensor?,
    _ moves: Tensor?,
    _ dy: Tensor,
    _ dscale: SummedGradient?,
    _ doffset: SummedGradient?,
    _ dmove: SummedGradient?
  ) {
    let zeros = Shared(grid.zeroBytes)
    let (group, top, middle) = (Int64(grid.groupSize), Int32(grid.top), Int32(grid.middle))
    let scales = self
    weight.eachRows(
      keeping: [
        scales, offsets, moves, dy, grid.zeros, dscale?.buffer, doffset?.buffer, dmove?.buffer,
      ]
    ) { rows, weight, _ in
      let (first, count) = (Int64(rows.lowerBound), Int64(rows.count))
      if scales.isSingle {
        slm_levels_round_gradient_f32(
          weight,
          grid.countsInScales,
          first,
          count,
          group,
          top,
          middle,
          zeros.pointer,
          scales.floats(0),
          offsets?.floats(0),
          moves?.floats(0),
          dy.floats(0),
          dscale?.isEmpty == false,
          dscale?.buffer.floats(0),
          doffset?.isEmpty == false,
          doffset?.buffer.floats(0),
          dmove?.isEmpty == false,
          dmove?.buffer.floats(0)
        )
      } else {
        slm_levels_round_gradient_f64(
          weight,
          grid.countsInScales,
          first,
          count,
          group,
          top,
          middle,
          zeros.pointer,
          scales.doubles(0),
          offsets?.doubles(0),
          moves?.doubles(0),
          dy.doubles(0),
          dscale?.isEmpty == false,
          dscale?.buffer.doubles(0),
          doffset?.isEmpty == false,
          doffset?.buffer.doubles(0),
          dmove?.isEmpty == false,
          dmove?.buffer.doubles(0)
        )
      }
    }
  }
}
