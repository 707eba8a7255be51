internal import CKernels
package import Tensor

extension Tensor {
  /// Codes of one byte each, `[M, N]`, as a stream of bits for every row, the lowest first.
  ///
  /// - Parameter bits: The width of a code, in `2...8`.
  /// - Returns: `[M, N · bits / 8 rounded up]`, `uint8`.
  package func codeStream(bits: Int) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    let byteCount = (columns * bits + 7) / 8
    let result = Tensor(zeros: [rows, byteCount], dtype: .uint8)
    let (source, target) = (Shared(unsafeBase), Shared(result.unsafeBase))
    parallelRanges(rows, grain: max(1, 65_536 / max(1, columns))) { range in
      for row in range {
        slm_codes_pack(
          (source.pointer + row * columns).assumingMemoryBound(to: UInt8.self),
          Int64(columns),
          Int32(bits),
          (target.pointer + row * byteCount).assumingMemoryBound(to: UInt8.self)
        )
      }
    }
    withExtendedLifetime(self) {}
    return result
  }
}
