internal import Foundation

/// SentencePiece's compiled character map: a double-array trie from byte strings to their
/// replacements.
///
/// The blob is the trie's size in bytes (32 bits, little-endian), the trie's 32-bit units, and
/// the replacements, each ended by a zero byte. The text is taken by grapheme cluster: a cluster
/// under six bytes that starts with a key is replaced as a whole by that key's replacement (even
/// where the key is only its start); otherwise each of its scalars is looked up alone. The
/// shortest key wins. These rules are those of the `tokenizers` library, whose ids are the aim.
struct PrecompiledMap: Normalizer {
  private let units: [UInt32]
  private let replacements: [UInt8]

  init(_ json: JSONValue) throws(TokenizerError) {
    guard let blob = Data(base64Encoded: try json.string()) else {
      throw json.failure(.invalidValue, "the map is not base64")
    }
    let bytes = Array(blob)
    guard bytes.count >= 4 else { throw json.failure(.invalidValue, "the map is empty") }
    let size = Int(Self.unit(bytes, at: 0))
    guard size % 4 == 0, size > 0, size <= bytes.count - 4 else {
      throw json.failure(.invalidValue, "the map's trie is larger than the map")
    }
    units = (0..<(size / 4)).map { Self.unit(bytes, at: 4 + $0 * 4) }
    replacements = Array(bytes[(4 + size)...])
    guard isValidUTF8(replacements) else {
      throw json.failure(.invalidValue, "the map's replacements are not UTF-8")
    }
  }

  private static func unit(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32($1 * 8) }
  }

  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    var result: [UInt8] = []
    result.reserveCapacity(text.bytes.count)
    for cluster in String(decoding: text.bytes, as: UTF8.self) {
      try NormalizedText.checkSize(result.count)
      let bytes = Array(cluster.utf8)
      if bytes.count < 6, let range = replacement(for: bytes[...]) {
        result.append(contentsOf: replacements[range])
        continue
      }
      var position = 0
      while position < bytes.count {
        let end = position + sequenceLength(bytes[position])
        if let range = replacement(for: bytes[position..<end]) {
          result.append(contentsOf: replacements[range])
        } else {
          result.append(contentsOf: bytes[position..<end])
        }
        position = end
      }
    }
    text.bytes = result
  }

  /// Where the replacement of the shortest key that `text` starts with lies.
  private func replacement(for text: ArraySlice<UInt8>) -> Range<Int>? {
    var node = Int(Self.offset(units[0]))
    for byte in text {
      if byte == 0 { return nil }
      node ^= Int(byte)
      guard node < units.count else { return nil }
      let unit = units[node]
      guard unit & (1 << 31 | 0xFF) == UInt32(byte) else { return nil }
      node ^= Int(Self.offset(unit))
      guard unit >> 8 & 1 == 1 else { continue }
      guard node < units.count else { return nil }
      let start = Int(units[node] & (1 << 31 - 1))
      guard start <= replacements.count else { return nil }
      return start..<(replacements[start...].firstIndex(of: 0) ?? replacements.count)
    }
    return nil
  }

  private static func offset(_ unit: UInt32) -> UInt32 { (unit >> 10) << ((unit & 1 << 9) >> 6) }
}
