internal import CKernels
internal import Models
internal import Tensor

/// The codes and grids of a matrix while they are chosen row by row.
struct CodesInProgress: Sendable {
  private let target: QuantizationTarget
  private let span: Int
  private let part: Int
  private let levels: [Float]
  private let codes: Tensor
  /// Scale, first level and offset of each part as numbers, `[rows, 3 · parts]`.
  private let grids: Tensor
  /// The sum of squares of each row, `[rows]`.
  private let norms: Tensor
  private let scales: Tensor?
  private let zeroPoints: Tensor?
  private let offsets: Tensor?
  private let blocks: Tensor?

  init(rows: Int, columns: Int, _ target: QuantizationTarget, norms: Tensor) {
    self.target = target
    self.norms = norms
    span = target.span(columns: columns)
    codes = Tensor(uninitialized: [rows, columns], dtype: .uint8)
    switch target {
    case .groups(let grid):
      let format = grid.format
      let groups: Shape = [rows, format.groupCount(columns: columns)]
      part = span
      levels = []
      scales = Tensor(zeros: groups, dtype: format.scaleType)
      zeroPoints = format.zero == .integer ? Tensor(zeros: groups, dtype: .uint8) : nil
      offsets = format.zero == .offset ? Tensor(zeros: groups, dtype: format.scaleType) : nil
      blocks = nil
    case .blocks(let format):
      part = format.grid.subBlockLength
      levels = format.grid.levels
      (scales, zeroPoints, offsets) = (nil, nil, nil)
      let byteCount = columns / format.blockLength * format.blockByteCount
      blocks = Tensor(zeros: [rows, byteCount], dtype: .uint8)
    }
    grids = Tensor(zeros: [rows, 3 * ((columns + part - 1) / part)], dtype: .float32)
  }

  /// Rounds some positions of some rows, and returns the sum of the squared errors left behind.
  ///
  /// `weights`, `held` and `errors` hold these rows only.
  func round(
    _ weights: inout Tensor,
    _ held: Tensor?,
    _ rows: Range<Int>,
    _ positions: Range<Int>,
    _ factor: Tensor,
    _ order: [Int32],
    _ errors: inout Tensor
  ) -> Double {
    let losses = Tensor(zeros: [rows.count], dtype: .float64)
    order.withUnsafeBufferPointer { order in
      levels.withUnsafeBufferPointer { levels in
        let problem = problem(factor, order, levels)
        let shared = Shared(problem)
        let (weights, errors, losses) = (
          RowPointer(weights), RowPointer(errors), RowPointer(losses)
        )
        let marks = held.map { RowPointer($0) }
        parallelRanges(rows.count, grain: 8) { range in
          let scratch = UnsafeMutablePointer<Float>.allocate(capacity: 2 * span)
          defer { scratch.deallocate() }
          var problem = shared.pointer
          for row in range {
            var state = state(rows.lowerBound + row, weights.doubles(row), scratch)
            state.held = marks.map {
              UnsafePointer($0.start(row).assumingMemoryBound(to: UInt8.self))
            }
            losses.doubles(row).pointee = slm_gptq_positions(
              &problem,
              &state,
              Int64(positions.lowerBound),
              Int64(positions.upperBound),
              errors.doubles(row)
            )
          }
        }
      }
    }
    withExtendedLifetime(held) {}
    return losses.elements(as: Double.self).reduce(0, +)
  }

  private func problem(
    _ factor: Tensor,
    _ order: UnsafeBufferPointer<Int32>,
    _ levels: UnsafeBufferPointer<Float>
  ) -> slm_gptq {
    var problem = slm_gptq()
    problem.columns = Int64(codes.shape[1])
    problem.factor = UnsafePointer(factor.unsafeBase.assumingMemoryBound(to: Double.self))
    problem.order = order.baseAddress
    problem.span = Int64(span)
    problem.part = Int64(part)
    switch target {
    case .groups(let grid):
      problem.code_count = 1 << Int32(grid.bits)
      problem.rounding = grid.kernelRounding
    case .blocks(let format):
      problem.code_count = Int32(levels.count)
      problem.levels = levels.baseAddress
      problem.is_uneven = !format.grid.isUniform
      problem.block_format = format.rawValue
      problem.block_bytes = Int64(format.blockByteCount)
    }
    return problem
  }

  private func state(
    _ row: Int,
    _ weights: UnsafeMutablePointer<Double>,
    _ scratch: UnsafeMutablePointer<Float>
  ) -> slm_gptq_row {
    func start(_ tensor: Tensor) -> UnsafeMutableRawPointer { RowPointer(tensor).start(row) }
    let norm = start(norms).assumingMemoryBound(to: Float.self).pointee
    return slm_gptq_row(
      weights: weights,
      held: nil,
      codes: start(codes).assumingMemoryBound(to: UInt8.self),
      grids: start(grids).assumingMemoryBound(to: Float.self),
      blocks: blocks.map { start($0).assumingMemoryBound(to: UInt8.self) },
      mean_square: norm / Float(codes.shape[1]),
      scales: scales.map(start),
      zeros: zeroPoints.map { start($0).assumingMemoryBound(to: UInt8.self) },
      offsets: offsets.map(start),
      scratch: scratch
    )
  }

  /// The weight, codes packed.
  var weight: any LinearWeight {
    let columns = codes.shape[1]
    switch target {
    case .blocks(let format):
      guard let blocks else { fail("gptq: no blocks") }
      return BlockQuantizedWeight(
        blocks: format.grid.replacingCodes(of: blocks, with: codes),
        format: format,
        columns: columns
      )
    case .groups(let grid):
      guard let scales else { fail("gptq: no scales") }
      return GroupQuantizedWeight(
        codes: codes.codeStream(bits: grid.format.bits),
        scales: scales,
        zeroPoints: zeroPoints,
        offsets: offsets,
        format: grid.format,
        columns: columns
      )
    }
  }
}

/// Finds the rows of a matrix that several threads work on, each on its own.
private struct RowPointer: @unchecked Sendable {
  private let base: UnsafeMutableRawPointer
  private let stride: Int

  init(_ tensor: Tensor) {
    base = tensor.unsafeBase
    stride = tensor.byteCount / max(1, tensor.shape[0])
  }

  func start(_ row: Int) -> UnsafeMutableRawPointer { base + row * stride }

  func doubles(_ row: Int) -> UnsafeMutablePointer<Double> {
    start(row).assumingMemoryBound(to: Double.self)
  }
}
