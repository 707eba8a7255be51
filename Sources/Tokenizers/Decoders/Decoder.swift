/// A step that turns tokens back into text.
///
/// Tokens stay separate, as lists of bytes that are well-formed UTF-8, until the last step; the
/// text is what is left, joined.
protocol Decoder: Sendable {
  func decode(_ tokens: [[UInt8]]) throws(TokenizerError) -> [[UInt8]]
}

/// Reads the section `decoder` of a tokenizer.json.
enum DecoderReader {
  private static let depthLimit = 8

  /// Reads the section as a flat list of steps.
  static func read(_ json: JSONValue, depth: Int = 0) throws(TokenizerError) -> [any Decoder] {
    guard depth < depthLimit else {
      throw json.failure(.unsupported, "decoders are nested deeper than \(depthLimit)")
    }
    let type = try json.required("type").string()
    switch type {
    case "Sequence":
      try json.allow(["type", "decoders"])
      var steps: [any Decoder] = []
      for element in try json.required("decoders").elements() {
        steps += try read(element, depth: depth + 1)
      }
      return steps
    case "ByteLevel":
      try json.allow(["type", "add_prefix_space", "trim_offsets", "use_regex"])
      return [ByteLevelDecoder()]
    case "ByteFallback":
      try json.allow(["type"])
      return [ByteFallback()]
    case "Fuse":
      try json.allow(["type"])
      return [Fuse()]
    case "Metaspace": return [MetaspaceDecoder(metaspace: try Metaspace(json))]
    case "Replace":
      try json.allow(["type", "pattern", "content"])
      return [
        ReplaceDecoder(
          replace: Replace(
            pattern: try TextPattern(json.required("pattern")),
            content: try json.required("content").bytes()
          )
        )
      ]
    case "Strip":
      try json.allow(["type", "content", "start", "stop"])
      return [
        StripDecoder(
          content: try json.required("content").scalar(),
          start: try json.required("start").integer(),
          stop: try json.required("stop").integer()
        )
      ]
    case "BPEDecoder":
      try json.allow(["type", "suffix"])
      return [SuffixDecoder(suffix: try json.required("suffix").string())]
    case "WordPiece":
      try json.allow(["type", "prefix", "cleanup"])
      return [
        WordPieceDecoder(
          prefix: try json.required("prefix").string(),
          cleansUp: try json.required("cleanup").bool()
        )
      ]
    default:
      throw try json.required("type").failure(
        .unsupported,
        "the decoder '\(type)' is not supported",
        remedy: "use a tokenizer without it"
      )
    }
  }
}
