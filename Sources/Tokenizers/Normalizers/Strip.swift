/// Removes whitespace at the start, the end, or both.
struct Strip: Normalizer {
  let left: Bool
  let right: Bool

  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    var scalars = String(decoding: text.bytes, as: UTF8.self).unicodeScalars[...]
    if left, let first = scalars.first, first.properties.isWhitespace {
      scalars = scalars.drop { $0.properties.isWhitespace }
      text.startsAtOrigin = false
    }
    if right {
      while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    }
    text.bytes = Array(String(scalars).utf8)
  }
}

/// Removes every combining mark (general categories Mn, Mc and Me).
struct StripAccents: Normalizer {
  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    if text.isASCII { return }
    text.filter { scalar in
      switch UnicodeVersion.formerCategory(scalar, in: UnicodeVersion.normalization) {
      case .nonspacingMark, .spacingMark, .enclosingMark: false
      default: true
      }
    }
  }
}
