/// Lowercases each scalar on its own, so that a final sigma is like any other.
struct Lowercase: Normalizer {
  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    text.bytes.mapScalars { scalar, result in
      result.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
    }
  }
}
