/// Replaces each character of ``ByteAlphabet`` by its byte and joins all tokens.
///
/// A token with another character is taken as it is. What is not UTF-8 in the end becomes U+FFFD.
struct ByteLevelDecoder: Decoder {
  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]] {
    var bytes: [UInt8] = []
    for token in tokens where !ByteAlphabet.append(token, to: &bytes) { bytes += token }
    return [Array(String(decoding: bytes, as: UTF8.self).utf8)]
  }
}

/// Turns runs of tokens such as `<0x0A>` into the text their bytes are.
///
/// If a run is not UTF-8, each of its tokens becomes U+FFFD.
struct ByteFallback: Decoder {
  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var run: [UInt8] = []
    func flush() {
      if run.isEmpty { return }
      if isValidUTF8(run) {
        result.append(run)
      } else {
        for _ in run { result.append(replacementCharacter) }
      }
      run.removeAll()
    }
    for token in tokens {
      if let byte = Self.byte(token) {
        run.append(byte)
      } else {
        flush()
        result.append(token)
      }
    }
    flush()
    return result
  }

  /// The byte that a token named like `<0x0A>` stands for.
  static func byte(_ token: some Collection<UInt8>) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8) else { return nil }
    let name = String(decoding: token, as: UTF8.self)
    guard name.hasSuffix(">"), !name.contains("+") else { return nil }
    return UInt8(name.dropFirst(3).dropLast(), radix: 16)
  }
}
