public import Tensor

/// A weight in one of GGUF's block formats.
public struct BlockQuantizedWeight: LinearWeight {
  /// The blocks, `[outputs, bytes per row]`, `uint8`.
  public let blocks: Tensor
  /// The block format.
  public let blockFormat: BlockFormat
  /// The matrix as stored.
  public let matrix: StoredMatrix

  /// Makes a weight of packed blocks.
  ///
  /// - Precondition: `columns` is a multiple of the format's block length, and `blocks` holds
  ///   whole rows.
  public init(blocks: Tensor, format: BlockFormat, columns: Int) {
    self.blocks = blocks
    self.blockFormat = format
    self.matrix = StoredMatrix(blocks: blocks, format: format, columns: columns)
  }

  /// The block format.
  public var format: WeightFormat { .blocks(blockFormat) }
  /// The blocks, saved as `weight_blocks`.
  public var parts: [(suffix: String, tensor: Tensor)] { [("weight_blocks", blocks)] }
}
