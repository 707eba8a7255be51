internal import Foundation

/// Brings text into one of Unicode's four normalization forms.
struct UnicodeNormalizer: Normalizer {
  enum Form: String, Sendable {
    case nfc = "NFC"
    case nfd = "NFD"
    case nfkc = "NFKC"
    case nfkd = "NFKD"
  }

  let form: Form

  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    // ASCII is in every form.
    if text.isASCII { return }
    var result: [UInt8] = []
    result.reserveCapacity(text.bytes.count)
    var run = String.UnicodeScalarView()
    for scalar in String(decoding: text.bytes, as: UTF8.self).unicodeScalars {
      if scalar.isASCII || UnicodeVersion.isAssigned(scalar, in: UnicodeVersion.normalization) {
        run.append(scalar)
      } else {
        // A later scalar stays as it is and parts what is around it.
        result.append(contentsOf: apply(String(run)).utf8)
        result.append(scalar)
        run.removeAll()
      }
    }
    result.append(contentsOf: apply(String(run)).utf8)
    text.bytes = result
  }

  private func apply(_ string: String) -> String {
    switch form {
    case .nfc: string.precomposedStringWithCanonicalMapping
    case .nfd: string.decomposedStringWithCanonicalMapping
    case .nfkc: string.precomposedStringWithCompatibilityMapping
    case .nfkd: string.decomposedStringWithCompatibilityMapping
    }
  }
}
