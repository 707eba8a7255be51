package import Tensor

extension Tensor {
  /// Returns the transpose of a matrix whose elements have four, two or one bytes, as a copy.
  ///
  /// - Precondition: The tensor is `[M, N]`, of elements of at most four bytes.
  package func transposedMatrix() -> Tensor {
    require(shape.rank == 2, "transposed: \(shape) is no matrix")
    let result = Tensor(uninitialized: [shape[1], shape[0]], dtype: dtype)
    switch dtype.byteCount {
    case 1: transpose(into: result, as: UInt8.self)
    case 2: transpose(into: result, as: UInt16.self)
    case 4: transpose(into: result, as: UInt32.self)
    default: fail("transposed: elements of \(dtype)")
    }
    return result
  }

  private func transpose<Element>(into result: Tensor, as type: Element.Type) {
    let (rows, columns) = (shape[0], shape[1])
    let (source, target) = (Shared(unsafeBase), Shared(result.unsafeBase))
    // Square tiles keep both sides in cache.
    let tile = 32
    parallelRanges((columns + tile - 1) / tile, grain: 4) { tiles in
      let source = source.pointer.assumingMemoryBound(to: Element.self)
      let target = target.pointer.assumingMemoryBound(to: Element.self)
      for first in tiles {
        let end = min(columns, (first + 1) * tile)
        for top in stride(from: 0, to: rows, by: tile) {
          for row in top..<min(rows, top + tile) {
            for column in first * tile..<end {
              target[column * rows + row] = source[row * columns + column]
            }
          }
        }
      }
    }
    withExtendedLifetime(self) {}
  }

  /// The codes of rows that are streams of bits, the lowest first, one a byte.
  ///
  /// - Parameters:
  ///   - bits: The width of a code, in `1...8`.
  ///   - columns: The codes of a row.
  /// - Returns: `[M, columns]`, `uint8`.
  /// - Precondition: A row has at least `columns · bits` bits.
  package func unpackedCodes(bits: Int, columns: Int) -> Tensor {
    let stream = viewedAsBytes()
    let (rows, width) = (stream.shape[0], stream.shape[1])
    require(width * 8 >= columns * bits, "unpacked: \(shape) has no \(columns) codes a row")
    let result = Tensor(uninitialized: [rows, columns], dtype: .uint8)
    let (source, target) = (Shared(stream.unsafeBase), Shared(result.unsafeBase))
    let mask = UInt16(1 << bits) - 1
    parallelRanges(rows, grain: max(1, 16_384 / max(1, columns))) { part in
      for row in part {
        let source = source.pointer.assumingMemoryBound(to: UInt8.self) + row * width
        let target = target.pointer.assumingMemoryBound(to: UInt8.self) + row * columns
        for column in 0..<columns {
          let (byte, bit) = (column * bits / 8, column * bits % 8)
          var window = UInt16(source[byte])
          if bit + bits > 8 { window |= UInt16(source[byte + 1]) << 8 }
          target[column] = UInt8(truncatingIfNeeded: window >> UInt16(bit) & mask)
        }
      }
    }
    withExtendedLifetime(stream) {}
    return result
  }

  /// Codes, one a byte, as rows of 32-bit words: streams of bits, the lowest first.
  ///
  /// - Parameter bits: The width of a code, in `1...8`.
  /// - Returns: `[M, columns · bits / 32 rounded up]`, `int32`; the last word is filled with zeros.
  package func packedCodes(bits: Int) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    let words = (columns * bits + 31) / 32
    let result = Tensor(zeros: [rows, words], dtype: .int32)
    let (source, target) = (Shared(unsafeBase), Shared(result.unsafeBase))
    parallelRanges(rows, grain: max(1, 16_384 / max(1, columns))) { part in
      for row in part {
        let source = source.pointer.assumingMemoryBound(to: UInt8.self) + row * columns
        let target = target.pointer.assumingMemoryBound(to: UInt32.self) + row * words
        for column in 0..<columns {
          let (word, bit) = (column * bits / 32, column * bits % 32)
          let code = UInt64(source[column]) << UInt64(bit)
          target[word] |= UInt32(truncatingIfNeeded: code)
          if bit + bits > 32 { target[word + 1] |= UInt32(code >> 32) }
        }
      }
    }
    withExtendedLifetime(self) {}
    return result
  }

  /// The order in which AWQ lays the codes of eight neighbouring outputs into a word.
  private static let interleaving = [0, 2, 4, 6, 1, 3, 5, 7]

  /// Codes of 4 bits, one a byte, as AWQ packs them: each word has eight neighbours of a row, the
  /// even ones first.
  ///
  /// - Returns: `[M, N / 8]`, `int32`.
  /// - Precondition: `N` is a multiple of 8.
  package func interleavedCodes() -> Tensor {
    let (rows, words) = (shape[0], shape[1] / 8)
    let result = Tensor(uninitialized: [rows, words], dtype: .int32)
    let (source, target) = (Shared(unsafeBase), Shared(result.unsafeBase))
    let order = Self.interleaving
    parallelRanges(rows, grain: max(1, 4096 / max(1, words))) { part in
      for index in part.lowerBound * words..<part.upperBound * words {
        let source = source.pointer.assumingMemoryBound(to: UInt8.self) + index * 8
        var word: UInt32 = 0
        for place in 0..<8 { word |= UInt32(source[order[place]]) << UInt32(4 * place) }
        target.pointer.assumingMemoryBound(to: UInt32.self)[index] = word
      }
    }
    withExtendedLifetime(self) {}
    return result
  }

  /// The inverse of ``interleavedCodes()``: `[M, 8 · words]`, `uint8`.
  package func separatedCodes() -> Tensor {
    let (rows, words) = (shape[0], shape[1])
    let result = Tensor(uninitialized: [rows, words * 8], dtype: .uint8)
    let (source, target) = (Shared(unsafeBase), Shared(result.unsafeBase))
    let order = Self.interleaving
    parallelRanges(rows, grain: max(1, 4096 / max(1, words))) { part in
      for index in part.lowerBound * words..<part.upperBound * words {
        let word = source.pointer.assumingMemoryBound(to: UInt32.self)[index]
        let target = target.pointer.assumingMemoryBound(to: UInt8.self) + index * 8
        for place in 0..<8 {
          target[order[place]] = UInt8(truncatingIfNeeded: word >> UInt32(4 * place) & 15)
        }
      }
    }
    withExtendedLifetime(self) {}
    return result
  }
}
