/// Splits as GPT-2 does and replaces each byte by its character in ``ByteAlphabet``.
struct ByteLevel: PreTokenizer {
  /// GPT-2's pattern: contractions, words, numbers and other runs with a space before them,
  /// and space.
  static let pattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

  /// Whether a space is put before a piece that does not start with one.
  let addsPrefixSpace: Bool
  /// GPT-2's pattern, or nil to leave the pieces whole.
  let expression: RegularExpression?
  /// Whether bytes are replaced; false where the model takes bytes as they are.
  var mapsBytes = true

  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    if addsPrefixSpace {
      pieces.rewrite { piece, _, result in
        if let first = piece.first, first != 0x20 { result.append(0x20) }
        result.append(contentsOf: piece)
      }
    }
    if let expression {
      try pieces.split(.isolated) { text, range, found throws(TokenizerError) in
        try expression.forEachMatch(in: text, range, found)
      }
    }
    if mapsBytes {
      pieces.rewrite { piece, _, result in
        for byte in piece { result.append(contentsOf: ByteAlphabet.encoded[Int(byte)]) }
      }
    }
  }
}
