package import Foundation
package import Tensor

/// How a teacher's most likely tokens are written: for each position the largest and the smallest
/// of the kept logarithms of probabilities and the probability of all other tokens, each float32;
/// the tokens, each in as few bits as the vocabulary allows; and where each logarithm lies between
/// smallest and largest, in 16 bits.
///
/// With 64 tokens of a vocabulary of 49,152 that is 268 bytes, with one of 151,936 284 bytes. A
/// logarithm is off by at most 1/131070 of the range that is kept, about 1e-4.
package struct TokenCoding: Equatable {
  /// How many tokens a position has.
  package let count: Int
  /// How many tokens there are.
  package let vocabulary: Int

  /// Takes both numbers.
  package init(count: Int, vocabulary: Int) {
    (self.count, self.vocabulary) = (count, vocabulary)
  }

  /// The bits of a token.
  package var tokenBits: Int { max(1, Int.bitWidth - (vocabulary - 1).leadingZeroBitCount) }
  private var tokenByteCount: Int { (count * tokenBits + 7) / 8 }
  /// The bytes of a position.
  package var byteCount: Int { 12 + tokenByteCount + 2 * count }

  /// Writes positions, the more likely tokens first.
  package func encode(_ known: MostLikelyTokens, into data: inout Data) {
    data.reserveCapacity(data.count + known.rows * byteCount)
    for row in 0..<known.rows {
      let range = row * count..<(row + 1) * count
      // Probabilities that underflow are kept above 0, so that their logarithm is finite.
      let logarithms = known.probabilities[range].map { log(max($0, .leastNormalMagnitude)) }
      let (first, last) = (logarithms[0], logarithms[count - 1])
      for number in [first, last, known.rest[row]] { append(number.bitPattern, &data) }
      var (bits, filled) = (UInt64(0), 0)
      for token in known.tokens[range] {
        bits |= UInt64(UInt32(bitPattern: token)) << UInt64(filled)
        filled += tokenBits
        while filled >= 8 {
          data.append(UInt8(truncatingIfNeeded: bits))
          bits >>= 8
          filled -= 8
        }
      }
      if filled > 0 { data.append(UInt8(truncatingIfNeeded: bits)) }
      let scale = first > last ? 65_535 / (first - last) : 0
      for logarithm in logarithms {
        let code = UInt16(((logarithm - last) * scale).rounded())
        data.append(UInt8(truncatingIfNeeded: code))
        data.append(UInt8(truncatingIfNeeded: code >> 8))
      }
    }
  }

  /// Reads positions; each one's probabilities add up to 1.
  ///
  /// - Returns: Nil if there are tokens outside the vocabulary.
  package func decode(_ data: Data) -> MostLikelyTokens? {
    let rows = data.count / byteCount
    var tokens = [Int32](repeating: 0, count: rows * count)
    var probabilities = [Float](repeating: 0, count: rows * count)
    var rest = [Float](repeating: 0, count: rows)
    let (mask, bytes) = (UInt64(1) << UInt64(tokenBits) - 1, [UInt8](data))
    for row in 0..<rows {
      var place = row * byteCount
      func float() -> Float {
        defer { place += 4 }
        let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
        return Float(bitPattern: bits)
      }
      let (first, last) = (float(), float())
      rest[row] = float()
      var (bits, filled) = (UInt64(0), 0)
      for k in 0..<count {
        while filled < tokenBits {
          bits |= UInt64(bytes[place]) << UInt64(filled)
          place += 1
          filled += 8
        }
        tokens[row * count + k] = Int32(truncatingIfNeeded: bits & mask)
        bits >>= UInt64(tokenBits)
        filled -= tokenBits
      }
      let step = (first - last) / 65_535
      var sum = rest[row]
      for k in 0..<count {
        let code = UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8
        place += 2
        let probability = exp(last + Float(code) * step)
        probabilities[row * count + k] = probability
        sum += probability
      }
      for k in 0..<count { probabilities[row * count + k] /= sum }
      rest[row] /= sum
    }
    guard tokens.allSatisfy({ $0 >= 0 && $0 < vocabulary }) else { return nil }
    return MostLikelyTokens(
      count: count,
      tokens: tokens,
      probabilities: probabilities,
      rest: rest
    )
  }

  private func append(_ bits: UInt32, _ data: inout Data) {
    for byte in 0..<4 { data.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * byte))) }
  }
}
