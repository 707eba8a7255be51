/// A step that rewrites a text before it is split.
protocol Normalizer: Sendable {
  func normalize(_ text: inout NormalizedText) throws(TokenizerError)
}

/// A text on its way through the normalizers.
struct NormalizedText {
  var bytes: [UInt8]
  /// Whether the first character stems from the first character of the input.
  ///
  /// `Metaspace` with the scheme `first` prepends only where this holds.
  var startsAtOrigin: Bool

  /// More bytes than this come from a file that means harm, not from a text.
  private static let byteLimit = 1 << 30

  /// Throws if a normalizer has made too much of a text.
  static func checkSize(_ count: Int) throws(TokenizerError) {
    guard count <= byteLimit else {
      throw TokenizerError(
        .tooLarge,
        at: .init(source: "", path: "normalizer"),
        "the normalized text has more than \(byteLimit) bytes",
        remedy: "encode it in parts"
      )
    }
  }

  /// Keeps the scalars for which `keep` holds.
  mutating func filter(_ keep: (Unicode.Scalar) -> Bool) {
    var isFirst = true
    var removedFirst = false
    bytes.mapScalars { scalar, result in
      if keep(scalar) { result.append(scalar) } else if isFirst { removedFirst = true }
      isFirst = false
    }
    if removedFirst { startsAtOrigin = false }
  }

  var isASCII: Bool { bytes.allSatisfy { $0 < 0x80 } }
}

/// Runs normalizers one after another.
struct NormalizerSequence: Normalizer {
  let normalizers: [any Normalizer]

  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    for normalizer in normalizers { try normalizer.normalize(&text) }
  }
}
