package import Models
package import Tensor

/// What a matrix is rounded to.
package enum QuantizationTarget: Sendable {
  /// Integer codes with a scale per group.
  case groups(Grid)
  /// Blocks of GGUF.
  case blocks(BlockFormat)

  /// The representation that a matrix has then.
  package var format: WeightFormat {
    switch self {
    case .groups(let grid): .groups(grid.format)
    case .blocks(let format): .blocks(format)
    }
  }

  /// The columns whose scales are chosen together.
  package func span(columns: Int) -> Int {
    switch self {
    case .groups(let grid): grid.groupSize.count ?? columns
    case .blocks(let format): format.blockLength
    }
  }

  /// Rounds every weight of a matrix to the nearest value, scales being chosen for that.
  ///
  /// - Parameters:
  ///   - matrix: `[outputs, inputs]`.
  ///   - importance: What an error at a column counts, `[inputs]`, `float32`; only of blocks.
  ///   - layer: What to call the matrix in errors.
  /// - Returns: The quantized weight.
  /// - Throws: ``QuantizeError`` if a weight or scale is not finite.
  package func nearest(
    _ matrix: StoredMatrix,
    importance: Tensor?,
    layer: String
  ) throws(QuantizeError) -> any LinearWeight {
    switch self {
    case .groups(let grid): return try roundToNearest(matrix, grid: grid, layer: layer).weight
    case .blocks(let format):
      // In slices, so that a vocabulary's matrix never is in memory as a whole.
      var blocks: [Tensor] = []
      for start in stride(from: 0, to: matrix.rows, by: 8192) {
        let dense = matrix.rows(start..<min(matrix.rows, start + 8192)).widened()
        guard dense.sumOfSquares().isFinite else { throw .notFinite(.weight, layer) }
        blocks.append(dense.roundedToBlocks(format, importance: importance))
      }
      return BlockQuantizedWeight(
        blocks: blocks.count == 1 ? blocks[0] : .concatenated(blocks),
        format: format,
        columns: matrix.columns
      )
    }
  }
}
