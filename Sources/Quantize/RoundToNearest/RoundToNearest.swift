internal import CKernels
public import Models
public import Tensor

/// A quantized matrix and what quantizing it cost.
public struct RoundedWeight: Sendable {
  /// Codes, scales, and zero points or offsets.
  public let weight: GroupQuantizedWeight
  /// `‖W − Q‖²`, summed over all elements.
  public let squaredError: Double
  /// `‖W‖²`.
  public let squaredNorm: Double

  /// `‖W − Q‖² / ‖W‖²`, from 0; 0 for a matrix of zeros.
  public var relativeError: Double { squaredNorm > 0 ? squaredError / squaredNorm : 0 }
}

/// Rounds every weight of a matrix to the nearest value of its group's grid.
///
/// Each group of each row is rounded by itself. With `least_squares`, a group's scale (and zero)
/// comes from a search: for inverse scales in steps of a thirty-second of the code range, and for a
/// few zeros each, codes are chosen, and the scale that fits them best by linear regression. The
/// best is refined by choosing codes and regressing in turn, then rounded to its stored type; if
/// the codes for that do not have a smaller error than `absolute_maximum` gives, those stay.
///
/// ```swift
/// let rounded = try roundToNearest(linear.weight.matrix, grid: Grid(bits: 4, groupSize: .columns(32)))
/// linear.weight = rounded.weight
/// ```
///
/// - Parameters:
///   - matrix: The matrix to quantize, `[outputs, inputs]`, in any representation.
///   - grid: Bits per code, columns per group, kind of zero, and how scales are chosen.
///   - importance: What a squared error in each column counts when a scale is searched for, from 0,
///     such as the mean square of its input; nil for all the same.
///   - layer: What to call the matrix in errors.
/// - Returns: The quantized matrix and its squared error. An element differs from its weight by
///   at most half a scale, plus what rounding the scale to its type moves the ends of the grid:
///   `2^bits` times 2⁻¹² of the scale for float16, 2⁻⁹ for bfloat16.
/// - Throws: ``QuantizeError`` if the group size does not divide the columns, if a weight is not
///   finite, or if a scale exceeds its type.
/// - Complexity: One pass over the matrix, rows in parallel, in memory for one row a thread beyond
///   the result; the search evaluates 40 to 150 scales per group.
///
/// Source: Scales by absolute maximum are those of ggml's reference quantizers and of the
/// compressed-tensors library, see ``Grid``. The search follows ggml's `make_qx_quants` and
/// `make_qkx2_quants` in regressing the scale on the codes, and differs in covering both signs and
/// in choosing codes again for the scale as stored.
public func roundToNearest(
  _ matrix: StoredMatrix,
  grid: Grid,
  importance: [Float]? = nil,
  layer: String = "matrix"
) throws(QuantizeError) -> RoundedWeight {
  let (rows, columns, format) = (matrix.rows, matrix.columns, grid.format)
  let groupSize = format.groupSize ?? columns
  guard columns % groupSize == 0 else {
    throw QuantizeError(
      .notDivisible,
      "groups of \(groupSize) do not divide \(columns) columns",
      layer: layer,
      remedy: "choose a group size that does"
    )
  }
  let groups: Shape = [rows, format.groupCount(columns: columns)]
  let parts = RoundedParts(
    codes: Tensor(zeros: [rows, format.codeByteCount(columns: columns)], dtype: .uint8),
    scales: Tensor(zeros: groups, dtype: format.scaleType),
    zeroPoints: format.zero == .integer ? Tensor(zeros: groups, dtype: .uint8) : nil,
    offsets: format.zero == .offset ? Tensor(zeros: groups, dtype: format.scaleType) : nil,
    sums: Tensor(zeros: [rows, 2], dtype: .float64)
  )
  matrix.withKernelMatrix { kernelMatrix in
    roundRows(
      Shared(kernelMatrix),
      grid.kernelRounding,
      groupSize: groupSize,
      importance: importance.flatMap(kernelWeights),
      into: parts
    )
  }
  let sums = parts.sums.elements(as: Double.self)
  let error = stride(from: 0, to: 2 * rows, by: 2).reduce(0) { $0 + sums[$1] }
  let norm = stride(from: 1, to: 2 * rows, by: 2).reduce(0) { $0 + sums[$1] }
  guard error.isFinite else {
    throw .notFinite(norm.isFinite ? .scale : .weight, layer)
  }
  return RoundedWeight(
    weight: GroupQuantizedWeight(
      codes: parts.codes,
      scales: parts.scales,
      zeroPoints: parts.zeroPoints,
      offsets: parts.offsets,
      format: format,
      columns: columns
    ),
    squaredError: error,
    squaredNorm: norm
  )
}

/// Columns' importances as the kernel takes them, at most 1; nil if all are zero.
///
/// None is so small that a group of them could not be told from nothing.
private func kernelWeights(_ importance: [Float]) -> Tensor? {
  guard let largest = importance.max(), largest > 0 else { return nil }
  return Tensor(importance.map { max($0 / largest, 1e-6) })
}

/// The tensors that rounding fills row by row.
private struct RoundedParts: Sendable {
  let codes: Tensor
  let scales: Tensor
  let zeroPoints: Tensor?
  let offsets: Tensor?
  /// The squared error and the squared norm of each row, `[rows, 2]`, summed in order at the end
  /// so that the result does not depend on the number of threads.
  let sums: Tensor
}

private func roundRows(
  _ matrix: Shared<UnsafePointer<slm_matrix>>,
  _ rounding: slm_rounding,
  groupSize: Int,
  importance: Tensor?,
  into parts: RoundedParts
) {
  let rows = parts.codes.shape[0]
  let columns = Int(matrix.pointer.pointee.columns)
  require(
    importance.map { $0.count == columns } ?? true,
    "rounding: importances do not fit \(columns) columns"
  )
  let weights = Shared(
    importance.map { UnsafePointer($0.unsafeBase.assumingMemoryBound(to: Float.self)) }
  )
  defer { withExtendedLifetime(importance) {} }
  parallelRanges(rows, grain: max(1, 16_384 / max(1, columns))) { range in
    let rounding = rounding
    let values = UnsafeMutablePointer<Float>.allocate(capacity: columns)
    let codes = UnsafeMutablePointer<UInt8>.allocate(capacity: columns)
    defer {
      values.deallocate()
      codes.deallocate()
    }
    for row in range {
      func start(_ tensor: Tensor) -> UnsafeMutableRawPointer {
        tensor.unsafeBase + row * tensor.shape[1] * tensor.dtype.byteCount
      }
      slm_matrix_widen(matrix.pointer, Int64(row), 0, Int64(columns), values)
      let error = withUnsafePointer(to: rounding) {
        slm_round_row(
          $0,
          values,
          weights.pointer,
          Int64(columns),
          Int64(groupSize),
          codes,
          start(parts.scales),
          parts.zeroPoints.map { start($0).assumingMemoryBound(to: UInt8.self) },
          parts.offsets.map(start)
        )
      }
      slm_codes_pack(
        codes,
        Int64(columns),
        rounding.bits,
        start(parts.codes).assumingMemoryBound(to: UInt8.self)
      )
      let sums = start(parts.sums).assumingMemoryBound(to: Double.self)
      sums[0] = error
      sums[1] = slm_sum_of_squares(values, Int64(columns))
    }
  }
}

extension Grid {
  /// The grid as the kernels take it.
  var kernelRounding: slm_rounding {
    let kind: slm_zero =
      switch zero {
      case .symmetric: SLM_ZERO_MIDDLE
      case .integer: SLM_ZERO_CODE
      case .offset: SLM_ZERO_OFFSET
      }
    return slm_rounding(
      bits: Int32(bits),
      zero: Int32(kind.rawValue),
      scale_type: scaleType.dtype.kernelType,
      searches: scale == .leastSquares,
      negative: negativeScales
    )
  }
}
