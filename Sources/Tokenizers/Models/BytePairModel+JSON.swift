extension BytePairModel {
  /// Reads a model of the type `BPE`.
  init(_ json: JSONValue) throws(TokenizerError) {
    try json.allow([
      "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
      "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges",
    ])
    if let dropout = try json.optional("dropout"), try dropout.number() != 0 {
      throw dropout.failure(
        .unsupported,
        "dropout makes encoding random, which is not supported",
        remedy: "set it to null"
      )
    }
    var options = Options()
    options.unknownToken = try json.optional("unk_token")?.string()
    options.continuationPrefix = try json.optional("continuing_subword_prefix")?.bytes() ?? []
    options.endSuffix = try json.optional("end_of_word_suffix")?.bytes() ?? []
    options.fusesUnknown = try json.optional("fuse_unk")?.bool() ?? false
    options.fallsBackToBytes = try json.optional("byte_fallback")?.bool() ?? false
    options.ignoresMerges = try json.optional("ignore_merges")?.bool() ?? false
    let tokens = try TokenTable(vocabulary: json.required("vocab"))
    let merges = try Self.readMerges(json.required("merges"), tokens)
    try self.init(tokens: tokens, merges: merges, options: options, at: json.location)
  }

  /// Reads merges, each either `"a b"` or `["a", "b"]`.
  private static func readMerges(
    _ json: JSONValue,
    _ tokens: TokenTable
  ) throws(TokenizerError) -> [Merge] {
    let document = json.document
    var result: [Merge] = []
    for child in try json.childIndices(.array) {
      let node = document.nodes[child]
      let pair: (Int32?, Int32?)?
      switch node.kind {
      case .string:
        let isHeader = document.withBytes(at: child) { $0.starts(with: "#version".utf8) }
        if isHeader { continue }
        pair = document.withBytes(at: child) { bytes in
          guard let space = bytes.firstIndex(of: 0x20),
            !bytes[(space + 1)...].contains(0x20)
          else { return nil }
          return (tokens.id(bytes[..<space]), tokens.id(bytes[(space + 1)...]))
        }
      case .array
      where node.count == 2 && document.nodes[child + 1].kind == .string
        && document.nodes[child + 2].kind == .string:
        pair = (
          document.withBytes(at: child + 1) { tokens.id($0) },
          document.withBytes(at: child + 2) { tokens.id($0) }
        )
      default: pair = nil
      }
      guard let pair else {
        throw TokenizerError(
          .wrongType,
          at: .init(source: document.source, path: "\(json.path)[\(result.count)]"),
          "expected two tokens",
          remedy: JSONValue.defaultRemedy
        )
      }
      guard let left = pair.0, let right = pair.1 else {
        throw TokenizerError(
          .inconsistentVocabulary,
          at: .init(source: document.source, path: "\(json.path)[\(result.count)]"),
          "the merge is of a token that is not in the vocabulary",
          remedy: JSONValue.defaultRemedy
        )
      }
      result.append(.init(left: left, right: right))
    }
    return result
  }
}
