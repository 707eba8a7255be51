/// The gradient by a weight per channel, summed over rows in an order that does not depend on the
/// number of threads: over blocks of 32 rows first, then over the blocks.
struct WeightGradients {
  /// The sum of each block, `[blocks, D]`; nil if the gradient is not wanted.
  let partial: Tensor?
  private let rows: Int
  private let columns: Int
  private let dtype: DType
  private static let blockRows = 32

  /// Prepares for the rows of `x`, `[..., D]`.
  init(for x: Tensor, isNeeded: Bool) {
    (rows, columns, dtype) = (x.shape.rows, x.shape.columns, x.dtype)
    let blocks = (rows + Self.blockRows - 1) / Self.blockRows
    partial = isNeeded ? Tensor(uninitialized: [blocks, columns], dtype: dtype) : nil
  }

  /// Calls `body` with each block's number and rows, from several threads.
  func eachBlock(
    keeping tensors: [Tensor?],
    _ body: @Sendable (_ block: Int, _ rows: Range<Int>) -> Void
  ) {
    let rows = rows
    let blocks = (rows + Self.blockRows - 1) / Self.blockRows
    let grain = max(1, rowGrain(columns) / Self.blockRows)
    withKernel(blocks, grain: grain, keeping: tensors + [partial]) { range in
      for block in range {
        let first = block * Self.blockRows
        body(block, first..<min(rows, first + Self.blockRows))
      }
    }
  }

  /// Adds the sum of the blocks to an input's gradient.
  func send(to index: Int, of slots: GradientSlots) {
    guard let partial else { return }
    slots.accumulate(into: index, shape: [columns], dtype: dtype) { buffer, isEmpty in
      buffer.overwriteWithMiddleSums(of: partial, count: partial.shape[0], accumulating: !isEmpty)
    }
  }
}
