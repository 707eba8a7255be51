internal import CKernels

/// The numbers that a block format can stand for, and how its scales and codes are set apart.
///
/// Every block is a run of sub-blocks with a scale and an offset, and every weight a code:
///
///     weight = scale · levels[code] + offset
///
/// computed in `float32` in this order, this is bit by bit what a reader of the blocks computes.
/// Algorithms that choose codes otherwise than by rounding to the nearest work in two steps: a
/// quantizer chooses scales for the weights, then codes are chosen on the grid of those scales.
///
/// ```swift
/// let grid = BlockFormat.q4_K.grid
/// var packed = slab.roundedToBlocks(.q4_K, importance: importance)  // [M, 256] to [M, 144]
/// let (scales, offsets) = grid.scalesAndOffsets(packed)             // [M, 8] each
/// var codes = grid.nearestCodes(slab, scales: scales, offsets: offsets)
/// // … move codes within 0..<grid.codeCount …
/// packed = grid.replacingCodes(of: packed, with: codes)
/// ```
///
/// A slab may be all columns of a matrix or whole blocks of them; its rows are independent, but
/// that Q4_0, Q4_1, Q5_0 and Q5_1 look at the mean square of the complete row: see
/// ``Tensor/roundedToBlocks(_:importance:meanSquares:)``.
public struct BlockGrid: Sendable, Hashable {
  /// The format.
  public let format: BlockFormat
  /// How many consecutive weights share a scale and an offset: 16 or 32.
  public let subBlockLength: Int
  /// What the codes stand for before scaling, rising.
  ///
  /// Consecutive integers, but for IQ4_NL and IQ4_XS. A code is an index into it.
  public let levels: [Float]
  /// Whether offsets can be other than zero.
  public let hasOffsets: Bool

  /// The number of codes; they are `0..<codeCount`.
  public var codeCount: Int { levels.count }
  /// The number of sub-blocks in a block.
  public var subBlockCount: Int { format.blockLength / subBlockLength }
  /// Whether levels are consecutive integers, so that the nearest code can be found by rounding
  /// `(weight − offset) / scale` and subtracting the first level.
  public var isUniform: Bool { format != .iq4_NL && format != .iq4_XS }

  fileprivate init(_ format: BlockFormat) {
    self.format = format
    let codeCount: Int
    (subBlockLength, codeCount, hasOffsets) =
      switch format {
      case .q4_0, .iq4_NL, .iq4_XS: (32, 16, false)
      case .q4_1, .q4_K: (32, 16, true)
      case .q5_0: (32, 32, false)
      case .q5_1, .q5_K: (32, 32, true)
      case .q8_0: (32, 256, false)
      case .q2_K: (16, 4, true)
      case .q3_K: (16, 8, false)
      case .q6_K: (16, 64, false)
      }
    levels = [Float](unsafeUninitializedCapacity: 256) { buffer, count in
      count = codeCount
      guard let base = buffer.baseAddress else { return }
      base.initialize(repeating: 0, count: 256)
      slm_blocks_levels(format.rawValue, base)
    }
  }
}

extension BlockFormat {
  /// The numbers that blocks of the format can stand for.
  public var grid: BlockGrid { BlockGrid(self) }
}

extension BlockGrid {
  /// Returns the scale and offset of each sub-block.
  ///
  /// - Parameter blocks: Rows of blocks, `uint8`, `[M, bytes of N weights]`.
  /// - Returns: Two tensors `[M, N / subBlockLength]`, `float32`. Scales may be negative or zero;
  ///   in a format without offsets those are −0, which leaves every number it is added to.
  /// - Precondition: Rows are whole blocks.
  public func scalesAndOffsets(_ blocks: Tensor) -> (scales: Tensor, offsets: Tensor) {
    let columns = requireColumns("scalesAndOffsets", blocks)
    let shape: Shape = [blocks.shape.rows, columns / subBlockLength]
    let scales = Tensor(uninitialized: shape, dtype: .float32)
    let offsets = Tensor(uninitialized: shape, dtype: .float32)
    let source = Shared(blocks.unsafeBase)
    let targets = (Shared(scales.unsafeBase), Shared(offsets.unsafeBase))
    let (size, count) = (format.blockByteCount, subBlockCount)
    forEachBlock(blocks) { part in
      slm_blocks_grid(
        format.rawValue,
        source.pointer + part.lowerBound * size,
        Int64(part.count * format.blockLength),
        floats(targets.0.pointer) + part.lowerBound * count,
        floats(targets.1.pointer) + part.lowerBound * count
      )
    }
    withExtendedLifetime(blocks) {}
    return (scales, offsets)
  }

  /// Returns the codes of blocks, one per byte.
  ///
  /// Codes count from 0; those of Q8_0, stored with a sign, are moved up by 128.
  ///
  /// - Parameter blocks: Rows of blocks, `uint8`, `[M, bytes of N weights]`.
  /// - Returns: `[M, N]`, `uint8`, each below ``codeCount``.
  /// - Precondition: Rows are whole blocks.
  public func codes(of blocks: Tensor) -> Tensor {
    let columns = requireColumns("codes", blocks)
    let result = Tensor(uninitialized: [blocks.shape.rows, columns], dtype: .uint8)
    let (source, target) = (Shared(blocks.unsafeBase), Shared(result.unsafeBase))
    let (size, length) = (format.blockByteCount, format.blockLength)
    forEachBlock(blocks) { part in
      slm_blocks_get_codes(
        format.rawValue,
        source.pointer + part.lowerBound * size,
        Int64(part.count * length),
        bytes(target.pointer) + part.lowerBound * length
      )
    }
    withExtendedLifetime(blocks) {}
    return result
  }

  /// Returns blocks with the scales of some and other codes.
  ///
  /// - Parameters:
  ///   - blocks: Rows of blocks, `uint8`, `[M, bytes of N weights]`.
  ///   - codes: `[M, N]`, `uint8`, each below ``codeCount``; of others the high bits are lost.
  /// - Returns: Blocks of the shape of `blocks`.
  /// - Precondition: Rows are whole blocks, and `codes` has one for each of their weights.
  public func replacingCodes(of blocks: Tensor, with codes: Tensor) -> Tensor {
    let columns = requireColumns("replacingCodes", blocks)
    require(
      codes.dtype == .uint8 && codes.count == blocks.shape.rows * columns,
      "replacingCodes: \(codes.dtype) \(codes.shape) for \(blocks.shape.rows) rows of \(columns)"
    )
    let result = blocks.copied()
    let (source, target) = (Shared(codes.unsafeBase), Shared(result.unsafeBase))
    let (size, length) = (format.blockByteCount, format.blockLength)
    forEachBlock(blocks) { part in
      slm_blocks_put_codes(
        format.rawValue,
        bytes(source.pointer) + part.lowerBound * length,
        Int64(part.count * length),
        target.pointer + part.lowerBound * size
      )
    }
    withExtendedLifetime(codes) {}
    return result
  }

  /// Returns for each value the code of the nearest number on the grid of its sub-block.
  ///
  /// Halfway between two, the even integer of `(value − offset) / scale` decides, in the IQ4
  /// formats the greater level. Where a scale is zero, all codes stand for the same number.
  ///
  /// - Parameters:
  ///   - values: `[M, N]`, `float32`.
  ///   - scales: `[M, N / subBlockLength]`, `float32`.
  ///   - offsets: The same shape; −0 in a format without offsets.
  /// - Returns: `[M, N]`, `uint8`, each below ``codeCount``.
  /// - Precondition: The shapes are as above.
  public func nearestCodes(_ values: Tensor, scales: Tensor, offsets: Tensor) -> Tensor {
    let groups = values.count / subBlockLength
    require(
      values.dtype == .float32 && scales.dtype == .float32 && offsets.dtype == .float32
        && values.shape.columns % subBlockLength == 0 && scales.count == groups
        && offsets.count == groups,
      "nearestCodes: \(values.shape) with scales \(scales.shape), offsets \(offsets.shape)"
    )
    let result = Tensor(uninitialized: values.shape, dtype: .uint8)
    let (source, target) = (Shared(values.unsafeBase), Shared(result.unsafeBase))
    let grids = (Shared(scales.unsafeBase), Shared(offsets.unsafeBase))
    let (format, length) = (format, subBlockLength)
    parallelRanges(groups, grain: 65_536 / length) { part in
      let status = slm_blocks_nearest_codes(
        format.rawValue,
        floats(source.pointer) + part.lowerBound * length,
        floats(grids.0.pointer) + part.lowerBound,
        floats(grids.1.pointer) + part.lowerBound,
        Int64(part.count * length),
        bytes(target.pointer) + part.lowerBound * length
      )
      require(status == 0, "nearestCodes: no kernel for \(format.name)")
    }
    withExtendedLifetime((values, scales, offsets)) {}
    return result
  }

  /// The weights in a row of blocks.
  private func requireColumns(_ operation: String, _ blocks: Tensor) -> Int {
    require(
      blocks.dtype == .uint8 && blocks.shape.columns % format.blockByteCount == 0,
      "\(operation): rows of \(blocks.shape.columns) \(blocks.dtype) are no blocks of \(format.name)"
    )
    return blocks.shape.columns / format.blockByteCount * format.blockLength
  }

  private func forEachBlock(_ blocks: Tensor, _ body: @Sendable (Range<Int>) -> Int32) {
    let count = blocks.count / format.blockByteCount
    parallelRanges(count, grain: 65_536 / format.blockLength) { part in
      let status = body(part)
      require(status == 0, "blocks: no kernel for \(format.name)")
    }
  }
}

private func floats(_ base: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Float> {
  base.assumingMemoryBound(to: Float.self)
}

private func bytes(_ base: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UInt8> {
  base.assumingMemoryBound(to: UInt8.self)
}
