internal import CKernels

/// A matrix as a bit for each element and the elements whose bits are set.
///
/// An element's bit is 0 if all bits of the element are, so that nothing is lost: a negative zero
/// is kept. Bits of a row fill bytes from the lowest bit, and the rest of its last byte is 0.
package struct BitmaskedMatrix: Sendable {
  /// `[rows, ⌈columns / 8⌉]`, `uint8`.
  package let bitmask: Tensor
  /// The elements whose bits are set, row after row.
  package let values: Tensor
  /// The number of columns.
  package let columns: Int

  /// The number of bytes that the bits of a row take.
  package static func rowByteCount(columns: Int) -> Int { (columns + 7) / 8 }

  /// Splits a matrix, `[rows, columns]`, of elements of one, two or four bytes.
  ///
  /// - Complexity: Two passes over the matrix.
  package init(_ matrix: Tensor) {
    require(matrix.shape.rank == 2, "bitmask: \(matrix.shape) is no matrix")
    let (rows, columns, size) = (matrix.shape[0], matrix.shape[1], matrix.dtype.byteCount)
    require([1, 2, 4].contains(size), "bitmask: \(matrix.dtype)")
    let count = Self.valueCount(matrix)
    let bytes = Self.rowByteCount(columns: columns)
    let bitmask = Tensor(zeros: [rows, bytes], dtype: .uint8)
    let values = Tensor(uninitialized: [count], dtype: matrix.dtype)
    matrix.withBytes { source in
      guard let base = source.baseAddress else { return }
      var used = 0
      for row in 0..<rows {
        used += Int(
          slm_bitmask_split(
            base + row * columns * size,
            Int64(columns),
            Int64(size),
            (bitmask.unsafeBase + row * bytes).assumingMemoryBound(to: UInt8.self),
            values.unsafeBase + used * size
          )
        )
      }
    }
    (self.bitmask, self.values, self.columns) = (bitmask, values, columns)
  }

  /// Takes the two parts of a matrix.
  ///
  /// - Precondition: As many values as bits are set, none behind the last column.
  package init(bitmask: Tensor, values: Tensor, columns: Int) {
    (self.bitmask, self.values, self.columns) = (bitmask, values, columns)
  }

  /// The number of elements that are not all zero bits.
  package static func valueCount(_ matrix: Tensor) -> Int {
    matrix.withBytes { source in
      guard let base = source.baseAddress else { return 0 }
      let size = Int64(matrix.dtype.byteCount)
      return Int(slm_bitmask_split(base, Int64(matrix.count), size, nil, nil))
    }
  }

  /// The number of bits set before each row, `[rows]`, `int64`.
  package var rowOffsets: Tensor {
    Tensor(Self.rowOffsets(bitmask).dropLast().map { Int64($0) }, shape: [bitmask.shape[0]])
  }

  /// The number of bits set before each row, and in all.
  package static func rowOffsets(_ bitmask: Tensor) -> [Int] {
    let (rows, bytes) = (bitmask.shape[0], bitmask.shape[1])
    var offsets = [0]
    offsets.reserveCapacity(rows + 1)
    bitmask.withElements(as: UInt8.self) { bits in
      for row in 0..<rows {
        let count =
          bits.baseAddress.map { slm_count_bits($0 + row * bytes, Int64(8 * bytes)) } ?? 0
        offsets.append(offsets[row] + Int(count))
      }
    }
    return offsets
  }

  /// The first row of a bitmask that has bits set behind its last column; nil if there is none.
  package static func overlongRow(_ bitmask: Tensor, columns: Int) -> Int? {
    let (rows, bytes) = (bitmask.shape[0], bitmask.shape[1])
    guard columns % 8 != 0 else { return nil }
    return bitmask.withElements(as: UInt8.self) { bits in
      (0..<rows).first { bits[($0 + 1) * bytes - 1] >> UInt8(columns % 8) != 0 }
    }
  }

  /// The matrix, `[rows, columns]`.
  ///
  /// - Complexity: One pass over the matrix.
  package var dense: Tensor {
    let (rows, bytes) = (bitmask.shape[0], bitmask.shape[1])
    let size = values.dtype.byteCount
    let matrix = Tensor(uninitialized: [rows, columns], dtype: values.dtype)
    let offsets = Self.rowOffsets(bitmask)
    require(offsets[rows] == values.count, "bitmask: \(offsets[rows]) bits, \(values.count) values")
    let (bits, source) = (Shared(bitmask.unsafeBase), Shared(values.unsafeBase))
    let target = Shared(matrix.unsafeBase)
    let columns = columns
    parallelRanges(rows, grain: max(1, (1 << 15) / max(1, columns))) { range in
      for row in range {
        _ = slm_bitmask_join(
          (bits.pointer + row * bytes).assumingMemoryBound(to: UInt8.self),
          Int64(columns),
          Int64(size),
          source.pointer + offsets[row] * size,
          target.pointer + row * columns * size
        )
      }
    }
    withExtendedLifetime((bitmask, values)) {}
    return matrix
  }
}
