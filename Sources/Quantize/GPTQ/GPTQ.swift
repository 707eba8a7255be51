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
/// - Returns: The quantized matrix; nil if the Gram matrix could not be factored.
/// - Throws: ``QuantizeError`` if a weight or scale is not finite.
/// - Complexity: `outputs · inputs²` operations in float64, rows in parallel and most of it in
///   matrix products.
///
/// Source: Frantar et al., *GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
/// Transformers*, 2022, arXiv:2210.17323. Deviations: all in float64; scales by weighted search
/// rather than by extreme values; columns without inputs are rounded to the nearest rather than
/// set to zero.
package func gptq(
  _ matrix: StoredMatrix,
  target: QuantizationTarget,
  gram: GramFactor,
  layer: String
) throws(QuantizeError) -> (any LinearWeight)? {
  guard let factor = gram.factor else { return nil }
  let (rows, columns) = (matrix.rows, matrix.columns)
  let dense = matrix.widened()
  let norms = (dense * dense).rowSums()
  guard norms.sum().isFinite else { throw .notFinite(.weight, layer) }
  var weights = gram.permuted(dense)
  let codes = CodesInProgress(rows: rows, columns: columns, target, norms: norms)
  // Corrections inside a block of positions are made row by row, those beyond it by a product.
  let block = 128
  var errors = Tensor(uninitialized: [rows, block], dtype: .float64)
  var loss = 0.0
  for begin in stride(from: 0, to: columns, by: block) {
    let positions = begin..<min(begin + block, columns)
    loss += codes.round(&weights, positions, factor, gram.order, &errors)
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
  return codes.weight
}
