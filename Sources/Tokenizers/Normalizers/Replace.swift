/// Replaces every match of a pattern.
struct Replace: Normalizer {
  let pattern: TextPattern
  let content: [UInt8]

  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    var result: [UInt8] = []
    result.reserveCapacity(text.bytes.count)
    var startsAtOrigin = text.startsAtOrigin
    let bytes = text.bytes
    try bytes.withUnsafeBufferPointer { bytes throws(TokenizerError) in
      var position = 0
      try pattern.forEachMatch(in: bytes, 0..<bytes.count) { start, end throws(TokenizerError) in
        result.append(contentsOf: bytes[position..<start])
        result.append(contentsOf: content)
        position = end
        try NormalizedText.checkSize(result.count)
        // The content counts as the last character it replaces.
        if start == 0, end > 0, content.isEmpty || end > sequenceLength(bytes[0]) {
          startsAtOrigin = false
        }
      }
      result.append(contentsOf: bytes[position...])
    }
    text.bytes = result
    text.startsAtOrigin = startsAtOrigin
  }
}
