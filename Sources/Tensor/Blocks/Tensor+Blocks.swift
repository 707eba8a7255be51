internal import CKernels

extension BlockFormat {
  /// Whether ``Tensor/roundedToBlocks(_:)`` can write the format.
  ///
  /// The others need a search for their scales, which is an algorithm of its own.
  public var hasReferenceRounding: Bool {
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

  /// Returns the weights rounded to packed blocks by ggml's reference rule.
  ///
  /// In Q4_0, Q5_0 and Q8_0 the value of largest magnitude sets a block's scale; in Q4_1 and
  /// Q5_1 the least and greatest value do. The bytes equal those of llama.cpp's quantizer without
  /// an importance matrix, for all values but NaN.
  ///
  /// ```swift
  /// let packed = weight.roundedToBlocks(.q4_0)    // uint8 [M, N / 32 * 18]
  /// Tensor(blocks: packed, format: .q4_0, shape: weight.shape)
  /// ```
  ///
  /// - Parameter format: A format with ``BlockFormat/hasReferenceRounding``.
  /// - Returns: `uint8`, one row of blocks for every row of `self`: `[M, bytes of N weights]`.
  /// - Precondition: `self` is `float32`, and its last axis is a multiple of the block's length.
  /// - Complexity: One pass, in parallel; no memory beyond the result.
  public func roundedToBlocks(_ format: BlockFormat) -> Tensor {
    require(dtype == .float32, "roundedToBlocks: \(dtype) instead of float32")
    guard let rowByteCount = format.rowByteCount(columns: shape.columns) else {
      fail("roundedToBlocks: \(shape) does not fill blocks of \(format.blockLength)")
    }
    let result = Tensor(uninitialized: [shape.rows, rowByteCount], dtype: .uint8)
    let length = format.blockLength
    let source = Shared(UnsafeRawPointer(unsafeBase))
    let target = Shared(result.unsafeBase)
    parallelRanges(count / length, grain: 65_536 / length) { part in
      let values = source.pointer + part.lowerBound * length * MemoryLayout<Float>.size
      let status = slm_blocks_round(
        format.rawValue,
        values.assumingMemoryBound(to: Float.self),
        Int64(part.count * length),
        target.pointer + part.lowerBound * format.blockByteCount
      )
      require(status == 0, "roundedToBlocks: no reference rule for \(format.name)")
    }
    withExtendedLifetime(self) {}
    return result
  }
}
