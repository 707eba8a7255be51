/// BERT's cleaning: control characters, spaces around ideographs, accents, case.
struct BertNormalizer: Normalizer {
  let cleansText: Bool
  let separatesIdeographs: Bool
  let stripsAccents: Bool
  let lowercases: Bool

  init(_ json: JSONValue) throws(TokenizerError) {
    try json.allow(
      ["type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"])
    cleansText = try json.required("clean_text").bool()
    separatesIdeographs = try json.required("handle_chinese_chars").bool()
    lowercases = try json.required("lowercase").bool()
    stripsAccents = try json.optional("strip_accents")?.bool() ?? lowercases
  }

  func normalize(_ text: inout NormalizedText) throws(TokenizerError) {
    if cleansText { clean(&text) }
    if separatesIdeographs {
      text.bytes.mapScalars { scalar, result in
        let isIdeograph = Self.isIdeograph(scalar.value)
        if isIdeograph { result.append(0x20) }
        result.append(scalar)
        if isIdeograph { result.append(0x20) }
      }
    }
    if stripsAccents {
      try UnicodeNormalizer(form: .nfd).normalize(&text)
      text.filter {
        UnicodeVersion.formerCategory($0, in: UnicodeVersion.categories) != .nonspacingMark
      }
    }
    if lowercases { try Lowercase().normalize(&text) }
  }

  private func clean(_ text: inout NormalizedText) {
    text.filter { scalar in
      if scalar == "\t" || scalar == "\n" || scalar == "\r" { return true }
      if scalar.value == 0xFFFD { return false }
      switch UnicodeVersion.formerCategory(scalar, in: UnicodeVersion.categories) {
      case .control, .format, .privateUse: return false
      default: return true
      }
    }
    text.bytes.mapScalars { scalar, result in
      if scalar.properties.isWhitespace { result.append(0x20) } else { result.append(scalar) }
    }
  }

  private static func isIdeograph(_ value: UInt32) -> Bool {
    switch value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F,
      0x2B740...0x2B81F, 0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
