/// Reads the section `pre_tokenizer` of a tokenizer.json.
enum PreTokenizerReader {
  private static let depthLimit = 8

  /// Reads the section as a flat list of steps.
  static func read(
    _ json: JSONValue,
    depth: Int = 0
  ) throws(TokenizerError) -> [any PreTokenizer] {
    guard depth < depthLimit else {
      throw json.failure(.unsupported, "pre-tokenizers are nested deeper than \(depthLimit)")
    }
    let type = try json.required("type").string()
    guard type == "Sequence" else { return [try readStep(json, type)] }
    try json.allow(["type", "pretokenizers"])
    var steps: [any PreTokenizer] = []
    for element in try json.required("pretokenizers").elements() {
      steps += try read(element, depth: depth + 1)
    }
    return steps
  }

  private static func readStep(
    _ json: JSONValue,
    _ type: String
  ) throws(TokenizerError) -> any PreTokenizer {
    switch type {
    case "ByteLevel":
      try json.allow(["type", "add_prefix_space", "trim_offsets", "use_regex"])
      let splits = try json.optional("use_regex")?.bool() ?? true
      return ByteLevel(
        addsPrefixSpace: try json.required("add_prefix_space").bool(),
        expression: splits ? try RegularExpression(ByteLevel.pattern, at: json.location) : nil
      )
    case "Split":
      try json.allow(["type", "pattern", "behavior", "invert"])
      return Split(
        pattern: try TextPattern(json.required("pattern")),
        behavior: try SplitBehavior(json.required("behavior")),
        isInverted: try json.required("invert").bool()
      )
    case "Digits":
      try json.allow(["type", "individual_digits"])
      return Digits(isIndividual: try json.required("individual_digits").bool())
    case "Metaspace": return try Metaspace(json)
    case "Whitespace":
      try json.allow(["type"])
      return WhitespacePreTokenizer()
    case "WhitespaceSplit":
      try json.allow(["type"])
      return WhitespaceSplit()
    case "Punctuation":
      try json.allow(["type", "behavior"])
      let behavior = try json.optional("behavior")
      return Punctuation(
        behavior: try behavior.map { json throws(TokenizerError) in
          try SplitBehavior(json)
        } ?? .isolated
      )
    case "BertPreTokenizer":
      try json.allow(["type"])
      return BertPreTokenizer()
    case "CharDelimiterSplit":
      try json.allow(["type", "delimiter"])
      return CharacterDelimiterSplit(delimiter: try json.required("delimiter").scalar())
    case "FixedLength":
      try json.allow(["type", "length"])
      let length = try json.optional("length")?.integer() ?? 5
      guard length > 0 else { throw json.failure(.invalidValue, "the length is 0") }
      return FixedLength(length: length)
    default:
      throw try json.required("type").failure(
        .unsupported,
        "the pre-tokenizer '\(type)' is not supported",
        remedy: "use a tokenizer without it"
      )
    }
  }
}
