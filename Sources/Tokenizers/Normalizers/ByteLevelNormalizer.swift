/// Replaces each byte by its character in ``ByteAlphabet``.
struct ByteLevelNormalizer: Normalizer {
  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    text.bytes = ByteAlphabet.encode(text.bytes)
  }
}
