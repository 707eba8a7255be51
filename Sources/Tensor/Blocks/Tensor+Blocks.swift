internal import CKernels

extension BlockFormat {
  /// Whether the extreme values of a block alone set its scale, so that no weight is off by more
  /// than a step; the other formats search for the scales that leave the least error.
  public var roundsByExtremes: Bool {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: true
    default: false
    }
  }

  /// The size in bytes of a row of `columns` weights, nil unless they fill whole blocks.
  ///
  /// ```swift
  /// BlockFormat.q4_0.rowByteCount(columns: 576)    // 324
  /// BlockFormat.q4_K.rowByteCount(columns: 576)    // nil: blocks of 256
  /// ```
  public func rowByteCount(columns: Int) -> Int? {
    let (blocks, rest) = columns.quotientAndRemainder(dividingBy: blockLength)
    return rest == 0 ? blocks * blockByteCount : nil
  }
}

extension Tensor {
  /// Creates the weights that packed blocks stand for.
  ///
  /// - Parameters:
  ///   - blocks: Consecutive blocks in row-major order, `uint8`, of any shape.
  ///   - format: How the blocks are laid out.
  ///   - shape: The shape of the weights, `[..., N]` with `N` a multiple of the block's length.
  /// - Precondition: `blocks` has exactly the bytes that the format and shape ask.
  /// - Complexity: One pass, in parallel; no memory beyond the `float32` result.
  public init(blocks: Tensor, format: BlockFormat, shape: Shape) {
    let length = format.blockLength
    let blockCount = shape.count / length
    require(
      blocks.dtype == .uint8 && shape.columns % length == 0
        && blocks.count == blockCount * format.blockByteCount,
      "blocks: \(blocks.count) bytes of \(blocks.dtype) are not \(shape) in \(format.name)"
    )
    self.init(uninitialized: shape, dtype: .float32)
    let source = Shared(UnsafeRawPointer(blocks.unsafeBase))
    let target = Shared(unsafeMutableElements(as: Float.self).baseAddress)
    parallelRanges(blockCount, grain: 65_536 / length) { part in
      let status = slm_blocks_widen(
        format.rawValue,
        source.pointer + part.lowerBound * format.blockByteCount,
        Int64(part.count * length),
        target.pointer.map { $0 + part.lowerBound * length }
      )
      require(status == 0, "blocks: no kernel widens \(format.name)")
    }
    withExtendedLifetime(blocks) {}
  }

  /// Returns the weights rounded to packed blocks by ggml's rules.
  ///
  /// Without importance, the value of largest magnitude sets a block's scale in Q4_0, Q5_0 and
  /// Q8_0, the least and greatest value in Q4_1 and Q5_1. The K and IQ4 formats, and with
  /// importance all but Q8_0, search for the scales that leave the least squared error, weighted
  /// by `importance · √(σ² + weight²)` where σ² is a mean square times 1 or 2. The bytes equal those
  /// of llama.cpp's quantizer without and with an importance matrix, for all values but NaN.
  ///
  /// ```swift
  /// let packed = weight.roundedToBlocks(.q4_0)    // uint8 [M, N / 32 * 18]
  /// Tensor(blocks: packed, format: .q4_0, shape: weight.shape)
  /// ```
  ///
  /// - Parameters:
  ///   - format: The format.
  ///   - importance: The mean square of each column's input, or another weight from 0,
  ///     `[N]`, `float32`; nil for the rule without weights.
  ///   - meanSquares: The mean square of the row that each row of `self` is a part of, `[M]`,
  ///     `float32`, for Q4_0, Q4_1, Q5_0 and Q5_1 with importance; nil if rows are complete.
  /// - Returns: `uint8`, one row of blocks for every row of `self`: `[M, bytes of N weights]`.
  /// - Precondition: `self` is `float32`, and its last axis is a multiple of the block's length.
  /// - Complexity: One pass, in parallel, of up to about a hundred operations a weight and try of
  ///   a scale, of which there are up to 37; no memory beyond the result.
  ///
  /// Source: ggml's `ggml-quants.c` (2023 to 2026) defines the formats' quantizers; its candidates,
  /// order of operations and ties are kept, eight sub-blocks being searched at a time.
  public func roundedToBlocks(
    _ format: BlockFormat,
    importance: Tensor? = nil,
    meanSquares: Tensor? = nil
  ) -> Tensor {
    require(dtype == .float32, "roundedToBlocks: \(dtype) instead of float32")
    let (rows, columns) = (shape.rows, shape.columns)
    guard let rowByteCount = format.rowByteCount(columns: columns) else {
      fail("roundedToBlocks: \(shape) does not fill blocks of \(format.blockLength)")
    }
    if let importance {
      require(
        importance.dtype == .float32 && importance.count == columns,
        "roundedToBlocks: importance \(importance.dtype) \(importance.shape) of \(columns) columns"
      )
    }
    if let meanSquares {
      require(
        meanSquares.dtype == .float32 && meanSquares.count == rows,
        "roundedToBlocks: mean squares \(meanSquares.dtype) \(meanSquares.shape) of \(rows) rows"
      )
    }
    let result = Tensor(uninitialized: [rows, rowByteCount], dtype: .uint8)
    let (source, target) = (Shared(unsafeBase), Shared(result.unsafeBase))
    let weights = Shared(importance?.unsafeBase.assumingMemoryBound(to: Float.self))
    let squares = Shared(meanSquares?.unsafeBase.assumingMemoryBound(to: Float.self))
    // Searches take some fifty times the work of a pass that only rounds.
    let isSearch = importance != nil || !format.roundsByExtremes
    parallelRanges(rows, grain: max(1, (isSearch ? 2048 : 65_536) / max(1, columns))) { part in
      for row in part {
        let values = source.pointer.assumingMemoryBound(to: Float.self) + row * columns
        let status = slm_blocks_choose(
          format.rawValue,
          values,
          weights.pointer,
          squares.pointer.map { $0[row] } ?? -1,
          Int64(columns),
          target.pointer + row * rowByteCount
        )
        require(status == 0, "roundedToBlocks: no rule for \(format.name)")
      }
    }
    withExtendedLifetime((self, importance, meanSquares)) {}
    return result
  }
}
