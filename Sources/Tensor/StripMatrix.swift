internal import CKernels

/// A weight of which whole blocks of 16 rows and one column are zero, as the blocks that are not.
///
/// Made once beside the weight, for products of few rows, which then read only these blocks: what
/// pruning with the pattern `16x1` leaves. A block is multiplied as a vector of 16 outputs, so that
/// nothing is lost to the places of zeros. Weights that are zero are not multiplied at all: where
/// an input is infinite or no number, the outputs can differ from the dense product's.
package struct StripMatrix: Sendable {
  /// The rows of a block.
  package static let height = 16
  /// Up to how many rows of inputs the product is faster than the dense one.
  package static let mostRows = 4
  /// From what fraction of zero blocks on the product is faster than the dense one.
  package static let leastSparsity = 0.45

  /// The number of outputs.
  package let rows: Int
  /// The number of inputs.
  package let columns: Int
  /// Where each strip's blocks begin, `[strips + 1]`, `int64`.
  private let begins: Tensor
  /// The column of each block, `[blocks]`, `uint16`.
  private let blockColumns: Tensor
  /// The numbers of each block, `[blocks, 16]`.
  private let values: Tensor

  /// The fraction of blocks that are zero.
  package var sparsity: Double {
    1 - Double(blockColumns.count) / Double(max(1, rows / Self.height * columns))
  }

  /// The size in memory, beside the weight, in bytes.
  package var byteCount: Int { begins.byteCount + blockColumns.byteCount + values.byteCount }

  /// Finds the blocks of a weight; nil if fewer than asked for are zero, or the weight is not stored
  /// as `float32`, `float16` or `bfloat16` elements in rows of which 16 divide the number.
  ///
  /// - Parameters:
  ///   - matrix: The weight, `[outputs, inputs]`.
  ///   - leastSparsity: The least fraction of blocks that are to be zero.
  /// - Complexity: A pass over a sixteenth of a matrix without the pattern; two over one with it.
  package init?(_ matrix: StoredMatrix, leastSparsity: Double = StripMatrix.leastSparsity) {
    guard case .elements(let elements) = matrix.storage,
      [.float32, .float16, .bfloat16].contains(elements.dtype),
      matrix.rows % Self.height == 0, matrix.rows > 0, (1...0xFFFF).contains(matrix.columns)
    else { return nil }
    let (rows, columns, size) = (matrix.rows, matrix.columns, elements.dtype.byteCount)
    let strips = rows / Self.height
    let most = Int((1 - leastSparsity) * Double(strips * columns))
    let (stripBytes, rowBytes) = (Self.height * columns * size, Int64(columns * size))
    let base = elements.unsafeBase
    var begins = [Int64](repeating: 0, count: strips + 1)
    var found: [UInt16] = []
    var scratch = [UInt16](repeating: 0, count: columns + 1)
    for strip in 0..<strips {
      let count = slm_strip_columns(
        base + strip * stripBytes,
        rowBytes,
        Int32(size),
        Int64(columns),
        &scratch
      )
      found += scratch[..<Int(count)]
      guard found.count <= most else { return nil }
      begins[strip + 1] = Int64(found.count)
    }
    let values = Tensor(uninitialized: [found.count, Self.height], dtype: elements.dtype)
    found.withUnsafeBufferPointer { found in
      guard let found = found.baseAddress else { return }
      for strip in 0..<strips {
        let first = Int(begins[strip])
        slm_strip_values(
          base + strip * stripBytes,
          rowBytes,
          Int32(size),
          found + first,
          begins[strip + 1] - begins[strip],
          values.unsafeBase + first * Self.height * size
        )
      }
    }
    withExtendedLifetime(elements) {}
    (self.rows, self.columns, self.values) = (rows, columns, values)
    self.begins = Tensor(begins)
    blockColumns = Tensor(found)
  }

  /// Writes `x · Wᵀ + bias` for few rows of `float32`.
  ///
  /// Each output is summed in one order by one thread, whatever the number of rows.
  func multiply(_ x: Tensor, _ bias: Tensor?, into result: Tensor) {
    let count = x.shape.rows
    guard count > 0 else { return }
    var product = slm_product()
    product.rows = Int64(count)
    product.outputs = Int64(rows)
    product.depth = Int64(columns)
    product.bias = bias.map { $0.unsafeFloats }
    product.y = result.unsafeMutableFloats
    product.y_step = Int64(rows)
    let strips = slm_strips(
      type: values.dtype.kernelType,
      begins: UnsafePointer(begins.unsafeBase.assumingMemoryBound(to: Int64.self)),
      columns: UnsafePointer(blockColumns.unsafeBase.assumingMemoryBound(to: UInt16.self)),
      values: UnsafeRawPointer(values.unsafeBase)
    )
    let (shared, base) = (Shared((product, strips)), Shared(x.unsafeFloats))
    let depth = columns
    let grain = max(1, (1 << 15) / max(1, depth * count * Self.height))
    parallelRanges(rows / Self.height, grain: grain) { range in
      var (product, strips) = shared.pointer
      slm_product_strips(
        &product,
        &strips,
        base.pointer,
        Int64(depth),
        Int64(range.lowerBound),
        Int64(range.upperBound)
      )
    }
    withExtendedLifetime((x, bias, self)) {}
  }
}
