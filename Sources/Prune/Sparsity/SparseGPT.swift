internal import CKernels
internal import Calibrate
internal import Models
internal import Sparsity
internal import Tensor

/// A pruned matrix and what was lost of its outputs.
struct SparseGPTResult {
  /// The matrix with zeros, `float32`.
  let weight: Tensor
  /// `‖(W − W')X‖²` over the text, and `‖W X‖²`.
  let outputError: (error: Double, all: Double)
}

/// The Gram matrix of a layer's inputs, factored, and what it makes of magnitudes.
struct SparseGPTFactor {
  /// The order of columns, and the factor by it.
  let columns: GramFactor
  /// `U` of `inverse(H) = Uᵀ · U` by position, upper, `[inputs, inputs]`, `float64`.
  let factor: Tensor
  /// What magnitudes are multiplied by to give scores, by position: `1 / U[j, j]`, and 0 for inputs
  /// that were always zero, `[inputs]`.
  let factors: [Float]

  /// Factors a matrix, with ten times the damping after each failure.
  ///
  /// - Parameters:
  ///   - gram: `Σ x xᵀ`, `[inputs, inputs]`, `float64`.
  ///   - damping: What is added to the diagonal, in means of it.
  ///   - group: Columns are taken in groups of so many neighbours, those with the strongest input
  ///     first; nil for columns as they are stored.
  ///   - layer: What to call the layer in errors.
  /// - Throws: ``PruneError`` if even damping by the mean does not help.
  init(
    _ gram: Tensor,
    damping: Double,
    sortedBy group: Int? = nil,
    layer: String
  ) throws(PruneError) {
    columns = GramFactor(
      gram,
      damping: damping,
      ordering: group == nil ? .stored : .importance,
      span: group ?? 1
    )
    guard let factor = columns.factor else {
      throw PruneError(
        .notPositiveDefinite,
        "the inputs are too alike to be told apart",
        at: layer,
        remedy: "calibrate on more text, or raise `damping`"
      )
    }
    self.factor = factor
    let (width, order) = (columns.order.count, columns.order)
    factors = gram.withElements(as: Double.self) { gram in
      factor.withElements(as: Double.self) { factor in
        order.indices.map { position in
          let isLive = gram[Int(order[position]) * (width + 1)] > 0
          return isLive ? Float(1 / factor[position * (width + 1)]) : 0
        }
      }
    }
  }
}

/// Sets weights to zero column by column, each time correcting the columns to come so that the
/// outputs stay as near as they can.
///
/// A weight's score is `|w| / U[j, j]`, from the weight as corrected until then: what its loss costs
/// once the columns to come have made up for it. Without a pattern the weights with the least
/// scores are chosen for 128 columns at a time, over all rows; for `N:M` in each group of a row when
/// it is reached.
///
/// - Parameters:
///   - weight: The matrix, `[outputs, inputs]`, `float32`.
///   - gram: `Σ x xᵀ`, `[inputs, inputs]`, `float64`.
///   - factor: The same, prepared.
///   - sparsity: The fraction that goes; `N:M` says it itself.
///   - pattern: Where zeros may lie.
/// - Returns: The pruned matrix and the error of its outputs.
/// - Precondition: The pattern divides the matrix.
/// - Complexity: `outputs · inputs²` operations in `float64`, and twice as many for the error.
///
/// Source: Frantar and Alistarh, *SparseGPT: Massive Language Models Can Be Accurately Pruned in
/// One-Shot*, 2023, arXiv:2301.00774, algorithm 1. Differs from its implementation in the exact
/// number of zeros, which there may be one more in each block; in inputs that were always zero, of
/// which no more weights are set to zero than others would be; in blocks of weights as a pattern;
/// and in the order of columns, if `factor` has one.
func sparseGPT(
  _ weight: Tensor,
  gram: Tensor,
  factor: SparseGPTFactor,
  sparsity: Double,
  pattern: SparsityPattern
) -> SparseGPTResult {
  let (rows, columns) = (weight.shape[0], weight.shape[1])
  let original = weight.converted(to: .float64)
  var weights = factor.columns.permuted(weight)
  var (group, zeros, step) = (0, 0, 128)
  switch pattern {
  case .unstructured: break
  case .groups(let nonzero, let size):
    (group, zeros) = (size, size - nonzero)
    step = max(1, 128 / size) * size
  case .blocks(_, let size): step = (128 + size - 1) / size * size
  }
  var errors = Tensor(zeros: [rows, step], dtype: .float64)
  for begin in stride(from: 0, to: columns, by: step) {
    let part = begin..<min(begin + step, columns)
    var marks = Tensor(zeros: [rows, columns], dtype: .uint8)
    if group == 0 {
      // Counted from the first column on, so that whole numbers in each part add up to the fraction.
      let upTo = Mask.zeros(sparsity, of: rows * part.upperBound, pattern: pattern)
      let before = Mask.zeros(sparsity, of: rows * begin, pattern: pattern)
      let chosen = Mask(
        weights.columns(part).converted(to: .float32),
        factors: Array(factor.factors[part]),
        zeros: upTo - before,
        pattern: pattern
      )
      marks.place(chosen.marks, at: begin)
    }
    walk(&weights, &marks, &errors, factor, part, group: group, zeros: zeros)
    weights.addProduct(
      -1,
      errors,
      0..<part.count,
      factor.factor,
      fromRow: begin,
      columns: part.upperBound..<columns
    )
  }
  weights = factor.columns.restored(weights)
  let difference = original - weights
  return SparseGPTResult(
    weight: weights.converted(to: .float32),
    outputError: (
      difference.dot(matrixProduct(difference, gram)), original.dot(matrixProduct(original, gram))
    )
  )
}

/// Takes some columns of all rows.
private func walk(
  _ weights: inout Tensor,
  _ marks: inout Tensor,
  _ errors: inout Tensor,
  _ factor: SparseGPTFactor,
  _ part: Range<Int>,
  group: Int,
  zeros: Int
) {
  let (rows, columns, step) = (weights.shape[0], weights.shape[1], errors.shape[1])
  let (values, masks) = (Shared(weights.unsafeBase), Shared(marks.unsafeBase))
  let (losses, matrix) = (Shared(errors.unsafeBase), Shared(factor.factor.unsafeBase))
  factor.factors.withUnsafeBufferPointer { factors in
    let factors = Shared(factors.baseAddress)
    parallelRanges(rows, grain: 8) { range in
      for row in range {
        var state = slm_sparse_row(
          weights: (values.pointer + row * columns * 8).assumingMemoryBound(to: Double.self),
          mask: (masks.pointer + row * columns).assumingMemoryBound(to: UInt8.self),
          errors: (losses.pointer + row * step * 8).assumingMemoryBound(to: Double.self)
        )
        slm_sparse_columns(
          &state,
          UnsafePointer(matrix.pointer.assumingMemoryBound(to: Double.self)),
          factors.pointer,
          Int64(columns),
          Int64(part.lowerBound),
          Int64(part.upperBound),
          Int64(group),
          Int64(zeros)
        )
      }
    }
  }
}

extension Tensor {
  /// Writes a matrix of bytes into columns of this one.
  fileprivate mutating func place(_ other: Tensor, at column: Int) {
    let (width, columns) = (other.shape[1], shape[1])
    let base = unsafeBase
    other.withBytes { source in
      for row in 0..<other.shape[0] {
        (base + row * columns + column).copyMemory(
          from: UnsafeRawPointer(source.baseAddress ?? UnsafeRawPointer(base)) + row * width,
          byteCount: width
        )
      }
    }
  }
}
