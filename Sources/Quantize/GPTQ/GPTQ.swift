package import Calibrate
package import Models
package import Tensor

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
///   - target: The codes to choose: integers in groups, or the blocks of a GGUF format.
///   - gram: The Gram matrix of the inputs, prepared with the target's spans.
///   - layer: What to call the matrix in errors.
///   - keepsZeros: Whether what is zero gets the code of zero. Its correction goes to the columns
///     to come, as the error of rounding does.
/// - Returns: The quantized matrix; nil if the Gram matrix could not be factored.
/// - Throws: ``QuantizeError`` if a weight or scale is not finite.
/// - Precondition: Zeros are kept only on grids with an exact zero.
/// - Complexity: `outputs · inputs²` operations in float64, rows in parallel and most of it in
///   matrix products.
///
/// Source: Frantar et al., *GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
/// Transformers*, 2022, arXiv:2210.17323. Deviations: all in float64; scales by weighted search
/// rather than by extreme values; columns without inputs are rounded to the nearest rather than
/// set to zero. Keeping zeros is the joint form of Frantar and Alistarh, *SparseGPT: Massive Language
/// Models Can Be Accurately Pruned in One-Shot*, 2023, arXiv:2301.00774, with a mask that is there
/// beforehand; differs from it in the search for scales, which counts on the zeros.
package func gptq(
  _ matrix: StoredMatrix,
  target: QuantizationTarget,
  gram: GramFactor,
  layer: String,
  keepsZeros: Bool = false
) throws(QuantizeError) -> (any LinearWeight)? {
  guard let factor = gram.factor else { return nil }
  require(target.hasExactZero || !keepsZeros, "gptq: zeros of \(target.format) are not exact")
  let (rows, columns) = (matrix.rows, matrix.columns)
  var loss = 0.0
  let codes = CodesInProgress(rows: rows, columns: columns, target, norms: try norms(matrix, layer))
  // Rows know nothing of each other: a vocabulary's matrix never is in memory as a whole.
  for start in stride(from: 0, to: rows, by: sliceRows) {
    let slice = start..<min(rows, start + sliceRows)
    var weights = gram.permuted(matrix.rows(slice).widened())
    let held = keepsZeros ? zeroMarks(weights) : nil
    // Corrections inside a block of positions are made row by row, those beyond it by a product.
    let block = 128
    var errors = Tensor(uninitialized: [slice.count, block], dtype: .float64)
    for begin in stride(from: 0, to: columns, by: block) {
      let positions = begin..<min(begin + block, columns)
      loss += codes.round(&weights, held, slice, positions, factor, gram.order, &errors)
      weights.addProduct(
        -1,
        errors,
        0..<positions.count,
        factor,
        fromRow: begin,
        columns: positions.upperBound..<columns
      )
    }
  }
  guard loss.isFinite else { throw .notFinite(.scale, layer) }
  return codes.weight
}

/// 1 where a matrix is zero, `[rows, columns]`, `uint8`.
private func zeroMarks(_ weights: Tensor) -> Tensor {
  let marks = weights.withElements(as: Double.self) { weights in
    [UInt8](unsafeUninitializedCapacity: weights.count) { marks, count in
      for index in weights.indices { marks[index] = weights[index] == 0 ? 1 : 0 }
      count = weights.count
    }
  }
  return Tensor(marks, shape: weights.shape)
}

/// The rows that are in memory at once, in float64.
private let sliceRows = 4096

/// The most bytes that rounding a matrix of some shape needs beside the matrix and its Gram matrix.
func gptqByteCount(_ shape: Shape) -> Int {
  // Weights of a slice widened, permuted and corrected; then codes, grids, and what they are put
  // into.
  min(shape.rows, sliceRows) * shape.columns * (4 + 8 + 8) + shape.count * 9 / 4
}

/// The sum of squares of each row, `[outputs]`.
private func norms(_ matrix: StoredMatrix, _ layer: String) throws(QuantizeError) -> Tensor {
  let slices = stride(from: 0, to: matrix.rows, by: sliceRows).map { start in
    let dense = matrix.rows(start..<min(matrix.rows, start + sliceRows)).widened()
    return (dense * dense).rowSums()
  }
  let norms = slices.count == 1 ? slices[0] : Tensor.concatenated(slices)
  guard norms.sum().isFinite else { throw .notFinite(.weight, layer) }
  return norms
}
