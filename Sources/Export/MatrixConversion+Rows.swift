internal import CKernels
internal import Checkpoints
internal import Models
internal import Tensor

extension LinearWeight {
  /// Some rows in the representation a file stores, as the file has them: elements
  /// `[range, columns]`, or the bytes of blocks, `[range, bytes]`.
  ///
  /// - Parameters:
  ///   - range: The rows.
  ///   - encoding: What the file stores.
  ///   - importance: The weights of the columns in rounding to blocks; nil for none.
  ///   - name: What to call the matrix in errors.
  /// - Returns: The rows as the file has them.
  /// - Throws: ``ExportError`` for a weight that is not finite and would be rounded to blocks.
  /// - Precondition: The conversion is possible.
  func rows(
    _ range: Range<Int>,
    as encoding: TensorEncoding,
    importance: Tensor? = nil,
    name: String
  ) throws -> Tensor {
    switch (self, encoding) {
    case (let dense as DenseWeight, .elements(let dtype)):
      return dense.elements.rows(range).converted(to: dtype)
    case (_, .elements(let dtype)): return matrix.widened(rows: range).converted(to: dtype)
    case (let packed as BlockQuantizedWeight, .blocks(let format))
    where packed.blockFormat == format:
      return packed.blocks.rows(range)
    case (let coded as GroupQuantizedWeight, .blocks(let format))
    where format.objection(to: coded.groupFormat) == nil:
      return coded.blocks(format, rows: range)
    case (_, .blocks(let format)):
      let floats: Tensor
      if let dense = self as? DenseWeight, dense.elements.dtype == .float32 {
        floats = dense.elements.rows(range)
      } else {
        floats = matrix.widened(rows: range)
      }
      guard floats.isFinite else {
        throw ExportError(
          .overflow,
          "a weight is infinite, not a number, or above 1e18",
          at: name,
          remedy: "the checkpoint is damaged; fetch it again"
        )
      }
      return floats.roundedToBlocks(format, importance: importance)
    case (_, .unsupported(let name)): fail("export: no rows of type \(name)")
    }
  }
}

extension Tensor {
  /// Whether every element of a `float32` tensor is a number whose square is finite.
  fileprivate var isFinite: Bool {
    let rows = shape.rows
    let columns = shape.columns
    let sums = Tensor(zeros: [rows], dtype: .float64)
    let (source, target) = (Shared(unsafeBase), Shared(sums.unsafeBase))
    parallelRanges(rows, grain: max(1, 65_536 / max(1, columns))) { part in
      for row in part {
        let values = source.pointer.assumingMemoryBound(to: Float.self) + row * columns
        target.pointer.assumingMemoryBound(to: Double.self)[row] =
          slm_sum_of_squares(values, Int64(columns))
      }
    }
    withExtendedLifetime(self) {}
    return sums.elements(as: Double.self).allSatisfy(\.isFinite)
  }
}

extension GroupQuantizedWeight {
  /// The codes of some rows, one a byte, `[range, columns]`, `uint8`.
  func unpackedCodes(rows range: Range<Int>) -> Tensor {
    let result = Tensor(uninitialized: [range.count, columns], dtype: .uint8)
    let (source, target) = (Shared(codes.rows(range).unsafeBase), Shared(result.unsafeBase))
    let (rowBytes, columns, bits) = (codes.shape[1], columns, groupFormat.bits)
    parallelRanges(range.count, grain: max(1, 65_536 / columns)) { part in
      for row in part {
        slm_codes_unpack(
          bytes(source.pointer, row * rowBytes),
          Int64(columns),
          Int32(bits),
          bytes(target.pointer, row * columns)
        )
      }
    }
    withExtendedLifetime(codes) {}
    return result
  }

  /// Blocks that stand for the same numbers.
  ///
  /// - Precondition: The format has no objection to the codes.
  fileprivate func blocks(_ format: BlockFormat, rows range: Range<Int>) -> Tensor {
    let unpacked = unpackedCodes(rows: range)
    guard let rowBytes = format.rowByteCount(columns: columns) else {
      fail("export: rows of \(columns) do not fill blocks of \(format.name)")
    }
    let result = Tensor(uninitialized: [range.count, rowBytes], dtype: .uint8)
    let groups = scales.shape[1]
    let start = range.lowerBound
    let (source, target) = (Shared(unpacked.unsafeBase), Shared(result.unsafeBase))
    let (scale, zero, offset) = (
      Shared(scales.unsafeBase + 2 * start * groups),
      Shared(zeroPoints.map { $0.unsafeBase + start * groups }),
      Shared(offsets.map { $0.unsafeBase + 2 * start * groups })
    )
    let (columns, bits) = (columns, groupFormat.bits)
    let groupSize = groupFormat.groupSize ?? columns
    parallelRanges(range.count, grain: max(1, 65_536 / columns)) { part in
      for row in part {
        let status = slm_blocks_from_codes(
          format.rawValue,
          bytes(source.pointer, row * columns),
          Int64(columns),
          Int64(groupSize),
          Int32(bits),
          bytes(scale.pointer, 2 * row * groups),
          zero.pointer.map { bytes($0, row * groups) },
          offset.pointer.map { bytes($0, 2 * row * groups) },
          bytes(target.pointer, row * rowBytes)
        )
        require(status == 0, "export: no blocks of \(format.name) from codes")
      }
    }
    withExtendedLifetime((self, unpacked)) {}
    return result
  }
}

/// The address of a byte of a tensor.
private func bytes(_ base: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutablePointer<UInt8> {
  (base + offset).assumingMemoryBound(to: UInt8.self)
}
