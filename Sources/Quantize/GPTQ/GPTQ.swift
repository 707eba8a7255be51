internal import CKernels
internal import Models
internal import Tensor

/// Rounds the columns of a matrix one after another, each time correcting the columns to come so
/// that the outputs stay as near as they can.
///
/// With `H` the Gram matrix of the inputs, the rounding error `e` of column `p` costs least if the
/// columns `k > p` change by `−e · U[p, k] / U[p, p]`, where `inverse(H) = Uᵀ · U`. A group's scale
/// is chosen when its first column is reached, for the weights as corrected until then, by a search
/// in which an error at column `p` weighs `1 / U[p, p]²`: what it costs in the end.
///
/// - Parameters:
///   - matrix: The matrix, `[outputs, inputs]`, in any representation.
///   - grid: Bits, group size, kind of zero and rule of the scales.
///   - gram: The Gram matrix of the inputs, prepared with spans of the grid's groups.
///   - layer: What to call the matrix in errors.
/// - Returns: The quantized matrix; nil if the Gram matrix could not be factored.
/// - Throws: ``QuantizeError`` if a weight or scale is not finite.
/// - Complexity: `outputs · inputs²` operations in float64, rows in parallel and most of it in
///   matrix products.
///
/// Source: Frantar et al., *GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
/// Transformers*, 2022, arXiv:2210.17323. Deviations: all in float64; scales by weighted search
/// rather than by extreme values; columns without inputs are rounded to the nearest rather than
/// set to zero.
func gptq(
  _ matrix: StoredMatrix,
  grid: Grid,
  gram: GramFactor,
  layer: String
) throws(QuantizeError) -> GroupQuantizedWeight? {
  guard let factor = gram.factor else { return nil }
  let (rows, columns, format) = (matrix.rows, matrix.columns, grid.format)
  let span = format.groupSize ?? columns
  var weights = gram.permuted(matrix.widened())
  guard weights.sumOfSquares().isFinite else { throw .notFinite(.weight, layer) }
  let codes = GroupCodesInProgress(rows: rows, columns: columns, format)
  // Corrections inside a block of positions are made row by row, those beyond it by a product.
  let block = 128
  var errors = Tensor(uninitialized: [rows, block], dtype: .float64)
  var loss = 0.0
  for begin in stride(from: 0, to: columns, by: block) {
    let positions = begin..<min(begin + block, columns)
    loss += codes.round(&weights, positions, factor, gram.order, span, grid, &errors)
    weights.addProduct(
      -1,
      errors,
      0..<positions.count,
      factor,
      fromRow: begin,
      columns: positions.upperBound..<columns
    )
  }
  guard loss.isFinite else { throw .notFinite(.scale, layer) }
  return codes.packed
}

/// The codes and grids of a matrix while they are chosen.
private struct GroupCodesInProgress: Sendable {
  let format: GroupFormat
  let codes: Tensor
  let scales: Tensor
  let zeroPoints: Tensor?
  let offsets: Tensor?
  /// Scale, zero and offset of each group as numbers, `[rows, 3 · groups]`.
  let grids: Tensor

  init(rows: Int, columns: Int, _ format: GroupFormat) {
    self.format = format
    let groups: Shape = [rows, format.groupCount(columns: columns)]
    codes = Tensor(uninitialized: [rows, columns], dtype: .uint8)
    scales = Tensor(zeros: groups, dtype: format.scaleType)
    zeroPoints = format.zero == .integer ? Tensor(zeros: groups, dtype: .uint8) : nil
    offsets = format.zero == .offset ? Tensor(zeros: groups, dtype: format.scaleType) : nil
    grids = Tensor(zeros: [rows, 3 * groups[1]], dtype: .float32)
  }

  /// Rounds some positions of all rows, and returns the sum of the squared errors left behind.
  func round(
    _ weights: inout Tensor,
    _ positions: Range<Int>,
    _ factor: Tensor,
    _ order: [Int32],
    _ span: Int,
    _ grid: Grid,
    _ errors: inout Tensor
  ) -> Double {
    let (rows, columns) = (codes.shape[0], codes.shape[1])
    let losses = Tensor(zeros: [rows], dtype: .float64)
    let rounding = grid.kernelRounding
    order.withUnsafeBufferPointer { order in
      let (order, factor) = (Shared(order.baseAddress), Shared(factor.unsafeBase))
      let errorCount = errors.shape[1]
      let (weights, errors) = (Shared(weights.unsafeBase), Shared(errors.unsafeBase))
      let losses = Shared(losses.unsafeMutableElements(as: Double.self).baseAddress)
      parallelRanges(rows, grain: 8) { range in
        let scratch = UnsafeMutablePointer<Float>.allocate(capacity: 2 * span)
        defer { scratch.deallocate() }
        var problem = slm_gptq(
          columns: Int64(columns),
          factor: UnsafePointer(factor.pointer.assumingMemoryBound(to: Double.self)),
          order: order.pointer,
          span: Int64(span),
          rounding: rounding
        )
        for row in range {
          func start(_ tensor: Tensor) -> UnsafeMutableRawPointer {
            tensor.unsafeBase + row * tensor.shape[1] * tensor.dtype.byteCount
          }
          var state = slm_gptq_row(
            weights: (weights.pointer + row * columns * 8).assumingMemoryBound(to: Double.self),
            codes: start(codes).assumingMemoryBound(to: UInt8.self),
            grids: start(grids).assumingMemoryBound(to: Float.self),
            scales: start(scales),
            zeros: zeroPoints.map { start($0).assumingMemoryBound(to: UInt8.self) },
            offsets: offsets.map(start),
            scratch: scratch
          )
          losses.pointer?[row] = slm_gptq_positions(
            &problem,
            &state,
            Int64(positions.lowerBound),
            Int64(positions.upperBound),
            (errors.pointer + row * errorCount * 8).assumingMemoryBound(to: Double.self)
          )
        }
      }
    }
    return losses.elements(as: Double.self).reduce(0, +)
  }

  /// The weight, codes packed.
  var packed: GroupQuantizedWeight {
    let (rows, columns) = (codes.shape[0], codes.shape[1])
    let packed = Tensor(
      zeros: [rows, format.codeByteCount(columns: columns)],
      dtype: .uint8
    )
    for row in 0..<rows {
      slm_codes_pack(
        (codes.unsafeBase + row * columns).assumingMemoryBound(to: UInt8.self),
        Int64(columns),
        Int32(format.bits),
        (packed.unsafeBase + row * packed.shape[1]).assumingMemoryBound(to: UInt8.self)
      )
    }
    return GroupQuantizedWeight(
      codes: packed,
      scales: scales,
      zeroPoints: zeroPoints,
      offsets: offsets,
      format: format,
      columns: columns
    )
  }
}
