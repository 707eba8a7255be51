/// Joins all tokens into one.
struct Fuse: Decoder {
  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]] {
    [Array(tokens.joined())]
  }
}

/// Turns the visible space back into a plain one; at the very start it is dropped.
struct MetaspaceDecoder: Decoder {
  let metaspace: Metaspace

  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]] {
    var isFirst = true
    return tokens.map { token in
      let drops = isFirst && metaspace.prependScheme != .never
      isFirst = false
      var token = token
      token.mapScalars { scalar, result in
        if scalar != metaspace.replacement {
          result.append(scalar)
        } else if !drops {
          result.append(0x20)
        }
      }
      return token
    }
  }
}

/// Replaces every match of a pattern in each token.
struct ReplaceDecoder: Decoder {
  let replace: Replace

  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]] {
    var result: [[UInt8]] = []
    result.reserveCapacity(tokens.count)
    for token in tokens {
      var text = NormalizedText(bytes: token, startsAtOrigin: true)
      try replace.normalize(&text)
      result.append(text.bytes)
    }
    return result
  }
}

/// Removes up to so many of one character from the start and end of each token.
struct StripDecoder: Decoder {
  let content: Unicode.Scalar
  let start: Int
  let stop: Int

  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]] {
    tokens.map { token in
      var scalars = String(decoding: token, as: UTF8.self).unicodeScalars[...]
      var removed = 0
      while removed < start, scalars.first == content {
        scalars.removeFirst()
        removed += 1
      }
      removed = 0
      while removed < stop, scalars.last == content {
        scalars.removeLast()
        removed += 1
      }
      return Array(String(scalars).utf8)
    }
  }
}

/// Turns the suffix that ends a word into a space, and at the very end into nothing.
struct SuffixDecoder: Decoder {
  let suffix: String

  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]] {
    guard !suffix.isEmpty else { return tokens }
    let pattern = TextPattern.literal(Array(suffix.utf8))
    let space = ReplaceDecoder(replace: Replace(pattern: pattern, content: [0x20]))
    let nothing = ReplaceDecoder(replace: Replace(pattern: pattern, content: []))
    return try space.decode(Array(tokens.dropLast())) + nothing.decode(Array(tokens.suffix(1)))
  }
}

/// Joins word pieces: those with the prefix directly, others after a space.
struct WordPieceDecoder: Decoder {
  private static let cleaned = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
    (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ]

  let prefix: String
  let cleansUp: Bool

  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]] {
    let prefix = Array(self.prefix.utf8)
    var result: [[UInt8]] = []
    for token in tokens {
      if result.isEmpty {
        result.append(token)
      } else {
        result.append(
          token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [0x20] + token
        )
      }
    }
    guard cleansUp else { return result }
    for (dirty, clean) in Self.cleaned {
      let replace = Replace(pattern: .literal(Array(dirty.utf8)), content: Array(clean.utf8))
      result = try ReplaceDecoder(replace: replace).decode(result)
    }
    return result
  }
}
