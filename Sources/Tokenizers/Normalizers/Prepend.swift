/// Puts a prefix before a text that is not empty.
struct Prepend: Normalizer {
  let prefix: [UInt8]

  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    if !text.bytes.isEmpty { text.bytes = prefix + text.bytes }
  }
}
