/// Makes the parts of a tokenizer from the vocabulary of a GGUF file.
enum GGUFReader {
  /// Longer added tokens would make the search for them slow.
  private static let addedTokenLimit = 4096

  static func read(
    _ vocabulary: GGUFVocabulary,
    source: String
  ) throws(TokenizerError) -> Tokenizer.Parts {
    try check(vocabulary, source)
    let layout = try layout(of: vocabulary, source)
    let table = try table(vocabulary, source)
    let sections = try JSONDocument(
      Array(layout.sectionsJSON(vocabulary).utf8),
      source: source
    ).root
    let location = TokenizerError.Location(source: source, path: "tokenizer.ggml.merges")
    let model: TokenModel
    if vocabulary.model == "llama" {
      model = .scored(
        ScoredMergeModel(
          tokens: table,
          scores: vocabulary.scores,
          unknown: vocabulary.unknown,
          at: .init(source: source, path: "tokenizer.ggml.tokens")
        )
      )
    } else {
      var options = BytePairModel.Options()
      options.ignoresMerges = layout.ignoresMerges
      model = .bytePair(
        try BytePairModel(
          tokens: table,
          merges: merges(vocabulary.merges, table, location),
          options: options,
          at: location
        )
      )
    }
    var normalizer: (any Normalizer)?
    if let section = try sections.optional("normalizer") {
      normalizer = try NormalizerReader.read(section)
    }
    var preTokenizers: [any PreTokenizer] = []
    if let section = try sections.optional("pre_tokenizer") {
      preTokenizers = try PreTokenizerReader.read(section)
    }
    return Tokenizer.Parts(
      source: source,
      origin: .gguf(vocabulary, layout),
      addedTokens: try addedTokens(vocabulary, source),
      normalizer: normalizer,
      preTokenizers: preTokenizers,
      model: model,
      postProcessor: try postProcessor(vocabulary, layout, source),
      decoders: try DecoderReader.read(sections.required("decoder")),
      beginningOfText: vocabulary.beginningOfText,
      endOfText: vocabulary.endOfText
    )
  }

  private static func failure(
    _ code: TokenizerError.Code,
    _ key: String,
    _ source: String,
    _ problem: String,
    remedy: String = "convert the model again"
  ) -> TokenizerError {
    TokenizerError(
      code,
      at: .init(source: source, path: "tokenizer.ggml.\(key)"),
      problem,
      remedy: remedy
    )
  }

  private static func check(
    _ vocabulary: GGUFVocabulary,
    _ source: String
  ) throws(TokenizerError) {
    let count = vocabulary.tokens.count
    guard count > 0, count < 1 << 24 else {
      throw failure(.invalidValue, "tokens", source, "there are \(count) tokens")
    }
    let types = vocabulary.tokenTypes.count
    guard types == 0 || types == count else {
      throw failure(
        .inconsistentVocabulary,
        "token_type",
        source,
        "there are \(types) token types for \(count) tokens"
      )
    }
    if vocabulary.model == "llama" {
      guard vocabulary.scores.count == count else {
        throw failure(
          .inconsistentVocabulary,
          "scores",
          source,
          "there are \(vocabulary.scores.count) scores for \(count) tokens"
        )
      }
      guard vocabulary.scores.allSatisfy(\.isFinite) else {
        throw failure(.invalidValue, "scores", source, "a score is not a finite number")
      }
    }
    let ids = [
      ("bos_token_id", vocabulary.beginningOfText), ("eos_token_id", vocabulary.endOfText),
      ("unknown_token_id", vocabulary.unknown), ("padding_token_id", vocabulary.padding),
    ]
    for (key, id) in ids {
      if let id, id < 0 || Int(id) >= count {
        throw failure(
          .inconsistentVocabulary,
          key,
          source,
          "the id \(id) is not in the vocabulary"
        )
      }
    }
  }

  private static func layout(
    of vocabulary: GGUFVocabulary,
    _ source: String
  ) throws(TokenizerError) -> GGUFLayout {
    switch vocabulary.model {
    case "llama": return .init(names: ["default"], steps: [], addsBeginningOfText: true)
    case "gpt2": break
    default:
      throw failure(
        .unsupported,
        "model",
        source,
        "the model '\(vocabulary.model)' is not supported",
        remedy: "use a file with a gpt2 or llama vocabulary"
      )
    }
    guard let name = vocabulary.pre else {
      throw failure(
        .missingValue,
        "pre",
        source,
        "the file does not name its pre-tokenizer",
        remedy: "convert the model again with a converter that writes it"
      )
    }
    guard let layout = GGUFLayout.named(name) else {
      throw failure(
        .unsupported,
        "pre",
        source,
        "the pre-tokenizer '\(name)' is not supported",
        remedy: "known: " + GGUFLayout.all.flatMap(\.names).joined(separator: ", ")
      )
    }
    return layout
  }

  private static func table(
    _ vocabulary: GGUFVocabulary,
    _ source: String
  ) throws(TokenizerError) -> TokenTable {
    var table = TokenTable(capacity: vocabulary.tokens.count)
    for (id, token) in vocabulary.tokens.enumerated() {
      // Converters leave the texts of unused ids empty; the name is llama.cpp's.
      let text = token.isEmpty ? "[EMPTY_\(id)]" : token
      guard table.insert(text.utf8, id: id) else {
        throw failure(
          .inconsistentVocabulary,
          "tokens",
          source,
          "the token \(id), '\(text)', occurs twice"
        )
      }
    }
    return table
  }

  private static func merges(
    _ list: [String],
    _ table: TokenTable,
    _ location: TokenizerError.Location
  ) throws(TokenizerError) -> [BytePairModel.Merge] {
    var result: [BytePairModel.Merge] = []
    var seen: Set<UInt64> = []
    result.reserveCapacity(list.count)
    for (rank, merge) in list.enumerated() {
      let bytes = Array(merge.utf8)
      // The first token has at least one byte, which may itself be a space.
      guard let space = bytes.dropFirst().firstIndex(of: 0x20),
        let left = table.id(bytes[..<space]), let right = table.id(bytes[(space + 1)...])
      else {
        throw TokenizerError(
          .inconsistentVocabulary,
          at: location,
          "merge \(rank), '\(merge)', is not two tokens with a space between",
          remedy: "convert the model again"
        )
      }
      // Of two equal merges the first counts.
      guard seen.insert(PairTable.key(left, right)).inserted else { continue }
      result.append(.init(left: left, right: right))
    }
    return result
  }

  private static func addedTokens(
    _ vocabulary: GGUFVocabulary,
    _ source: String
  ) throws(TokenizerError) -> AddedTokens {
    var result = AddedTokens()
    for (id, type) in vocabulary.tokenTypes.enumerated() {
      let isSpecial: Bool
      switch GGUFVocabulary.TokenType(rawValue: type) {
      case .control, .unknown: isSpecial = true
      case .userDefined: isSpecial = false
      default: continue
      }
      let content = Array(vocabulary.tokens[id].utf8)
      if content.isEmpty { continue }
      guard content.count <= addedTokenLimit else {
        throw failure(
          .tooLarge,
          "tokens",
          source,
          "the token \(id) has more than \(addedTokenLimit) bytes"
        )
      }
      result.insert(
        .init(id: Int32(id), content: content, isSpecial: isSpecial),
        normalizedForm: nil
      )
    }
    return result
  }

  private static func postProcessor(
    _ vocabulary: GGUFVocabulary,
    _ layout: GGUFLayout,
    _ source: String
  ) throws(TokenizerError) -> PostProcessor {
    var before: [Int32] = []
    var after: [Int32] = []
    if vocabulary.addsBeginningOfText ?? layout.addsBeginningOfText {
      guard let id = vocabulary.beginningOfText else {
        throw failure(
          .missingValue,
          "bos_token_id",
          source,
          "the token to put before a text is not named"
        )
      }
      before = [id]
    }
    if vocabulary.addsEndOfText ?? false {
      guard let id = vocabulary.endOfText else {
        throw failure(
          .missingValue,
          "eos_token_id",
          source,
          "the token to put after a text is not named"
        )
      }
      after = [id]
    }
    return PostProcessor(before: before, after: after)
  }
}

extension GGUFLayout {
  /// The sections `normalizer`, `pre_tokenizer` and `decoder` for a vocabulary, as one object.
  func sectionsJSON(_ vocabulary: GGUFVocabulary) -> String {
    guard vocabulary.model == "llama" else {
      return "{\"normalizer\":\(normalizerJSON),\"pre_tokenizer\":\(preTokenizerJSON),"
        + "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
        + "\"trim_offsets\":true,\"use_regex\":true}}"
    }
    let prefixes = vocabulary.addsSpacePrefix ?? true
    let replace =
      "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u{2581}\"}"
    let normalizer =
      prefixes
      ? "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
        + "\"prepend\":\"\u{2581}\"},\(replace)]}" : replace
    let strip = ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}"
    return "{\"normalizer\":\(normalizer),\"pre_tokenizer\":null,\"decoder\":"
      + "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\","
      + "\"pattern\":{\"String\":\"\u{2581}\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},"
      + "{\"type\":\"Fuse\"}\(prefixes ? strip : "")]}}"
  }
}
