/// Reads the section `normalizer` of a tokenizer.json.
enum NormalizerReader {
  private static let depthLimit = 8

  static func read(
    _ json: JSONValue,
    depth: Int = 0
  ) throws(TokenizerError) -> any Normalizer {
    guard depth < depthLimit else {
      throw json.failure(.unsupported, "normalizers are nested deeper than \(depthLimit)")
    }
    let type = try json.required("type").string()
    switch type {
    case "Sequence":
      try json.allow(["type", "normalizers"])
      var normalizers: [any Normalizer] = []
      for element in try json.required("normalizers").elements() {
        normalizers.append(try read(element, depth: depth + 1))
      }
      return NormalizerSequence(normalizers: normalizers)
    case "NFC", "NFD", "NFKC", "NFKD":
      try json.allow(["type"])
      return UnicodeNormalizer(form: UnicodeNormalizer.Form(rawValue: type) ?? .nfc)
    case "Lowercase":
      try json.allow(["type"])
      return Lowercase()
    case "StripAccents":
      try json.allow(["type"])
      return StripAccents()
    case "Strip":
      try json.allow(["type", "strip_left", "strip_right"])
      return Strip(
        left: try json.required("strip_left").bool(),
        right: try json.required("strip_right").bool()
      )
    case "Prepend":
      try json.allow(["type", "prepend"])
      return Prepend(prefix: try json.required("prepend").bytes())
    case "Replace":
      try json.allow(["type", "pattern", "content"])
      return Replace(
        pattern: try TextPattern(json.required("pattern")),
        content: try json.required("content").bytes()
      )
    case "Precompiled":
      try json.allow(["type", "precompiled_charsmap"])
      return try PrecompiledMap(json.required("precompiled_charsmap"))
    case "Nmt":
      try json.allow(["type"])
      return TranslationCleaning()
    case "ByteLevel":
      try json.allow(["type"])
      return ByteLevelNormalizer()
    case "BertNormalizer":
      return try BertNormalizer(json)
    default:
      throw try json.required("type").failure(
        .unsupported,
        "the normalizer '\(type)' is not supported",
        remedy: "use a tokenizer without it"
      )
    }
  }
}
