internal import Foundation

/// Makes the vocabulary of a GGUF file from a tokenizer that was read from a tokenizer.json.
struct GGUFWriter {
  private let tokenizer: Tokenizer

  init(_ tokenizer: Tokenizer) { self.tokenizer = tokenizer }

  private func failure(_ path: String, _ problem: String) -> TokenizerError {
    TokenizerError(
      .notExportable,
      at: .init(source: tokenizer.source, path: path),
      problem,
      remedy: "export in another format, or use a tokenizer GGUF can express"
    )
  }

  func write(_ data: Data, paddedTo size: Int?) throws(TokenizerError) -> GGUFVocabulary {
    guard case .bytePair(let model) = tokenizer.model else {
      throw failure("model.type", "GGUF export is for BPE models only")
    }
    let options = model.options
    guard options.continuationPrefix.isEmpty, options.endSuffix.isEmpty else {
      throw failure("model", "GGUF has no prefixes or suffixes of subwords")
    }
    let json = try JSONDocument(Array(data), source: tokenizer.source).root
    try checkAddedTokens()
    var vocabulary = GGUFVocabulary(model: "gpt2", tokens: [])
    fillTokens(&vocabulary, isByteLevel: !options.fallsBackToBytes)
    vocabulary.beginningOfText = tokenizer.beginningOfText
    vocabulary.endOfText = tokenizer.endOfText
    vocabulary.unknown = options.unknownToken.flatMap { tokenizer.id(of: $0) }
    try fillPostProcessing(&vocabulary)
    if options.fallsBackToBytes {
      vocabulary.model = "llama"
      vocabulary.pre = "default"
      vocabulary.addsSpacePrefix = try spacePrefix(json)
      vocabulary.scores = try scores(model, count: vocabulary.tokens.count)
    } else {
      vocabulary.pre = try GGUFLayoutRecognizer(json, options, tokenizer.source).name()
      vocabulary.addsSpacePrefix = false
      vocabulary.merges = model.mergeList.map { merge in
        let left = model.tokens.string(Int(merge.left)) ?? ""
        return "\(left) \(model.tokens.string(Int(merge.right)) ?? "")"
      }
    }
    try pad(&vocabulary, to: size)
    return vocabulary
  }

  /// Fills the ids above the vocabulary's with unused tokens.
  func pad(_ vocabulary: inout GGUFVocabulary, to size: Int?) throws(TokenizerError) {
    let count = vocabulary.tokens.count
    guard let size, size != count else { return }
    guard size > count, size < 1 << 24 else {
      throw failure("model.vocab", "there are \(count) tokens for a model with \(size) rows")
    }
    if vocabulary.tokenTypes.isEmpty {
      vocabulary.tokenTypes = .init(
        repeating: GGUFVocabulary.TokenType.normal.rawValue,
        count: count
      )
    }
    for id in count..<size {
      vocabulary.tokens.append("[PAD\(id)]")
      vocabulary.tokenTypes.append(GGUFVocabulary.TokenType.unused.rawValue)
    }
    if vocabulary.model == "llama" {
      vocabulary.scores += .init(repeating: -1e6, count: size - count)
    }
  }

  private func checkAddedTokens() throws(TokenizerError) {
    for token in tokenizer.addedTokens.tokens {
      let isPlain = !token.isSingleWord && !token.stripsLeft && !token.stripsRight
      // A normalized form that differs from the content could not be found by a GGUF reader.
      guard isPlain, tokenizer.addedTokens.decodedForm(token.id) == token.content else {
        let content = String(decoding: token.content, as: UTF8.self)
        throw failure(
          "added_tokens",
          "GGUF has no way to say how the added token '\(content)' is found"
        )
      }
    }
  }

  private func fillTokens(_ vocabulary: inout GGUFVocabulary, isByteLevel: Bool) {
    for id in 0..<tokenizer.vocabularySize {
      guard let text = tokenizer.token(Int32(id)) else {
        vocabulary.tokens.append("[PAD\(id)]")
        vocabulary.tokenTypes.append(GGUFVocabulary.TokenType.unused.rawValue)
        continue
      }
      vocabulary.tokens.append(text)
      let type: GGUFVocabulary.TokenType
      if let added = tokenizer.addedTokens[Int32(id)] {
        type = added.isSpecial ? .control : .userDefined
      } else if !isByteLevel && ByteFallback.byte(Array(text.utf8)) != nil {
        type = .byte
      } else {
        type = .normal
      }
      vocabulary.tokenTypes.append(type.rawValue)
    }
  }

  private func fillPostProcessing(_ vocabulary: inout GGUFVocabulary) throws(TokenizerError) {
    var before: [Int32] = []
    var after: [Int32] = []
    var textCount = 0
    for part in tokenizer.postProcessor.parts {
      switch part {
      case .text: textCount += 1
      case .tokens(let ids): if textCount == 0 { before += ids } else { after += ids }
      }
    }
    guard textCount == 1, before.count <= 1, after.count <= 1 else {
      throw failure("post_processor", "GGUF adds at most one token before and one after a text")
    }
    if let id = before.first {
      guard vocabulary.beginningOfText == nil || vocabulary.beginningOfText == id else {
        throw failure("post_processor", "another token is added before a text than starts one")
      }
      vocabulary.beginningOfText = id
    }
    if let id = after.first {
      guard vocabulary.endOfText == nil || vocabulary.endOfText == id else {
        throw failure("post_processor", "another token is added after a text than ends one")
      }
      vocabulary.endOfText = id
    }
    vocabulary.addsBeginningOfText = !before.isEmpty
    vocabulary.addsEndOfText = !after.isEmpty
  }

  /// Whether the normalizer puts a space before a text; throws if it does anything else than
  /// that and making spaces visible.
  private func spacePrefix(_ json: JSONValue) throws(TokenizerError) -> Bool {
    let empty = GGUFVocabulary(model: "llama", tokens: [])
    let layout = GGUFLayout(names: [], steps: [])
    let normalizer = try json.optional("normalizer")?.canonicalText ?? "null"
    let preTokenizer = try json.optional("pre_tokenizer")?.canonicalText ?? "null"
    for prefixes in [true, false] {
      var vocabulary = empty
      vocabulary.addsSpacePrefix = prefixes
      let sections = try JSONDocument(
        Array(layout.sectionsJSON(vocabulary).utf8),
        source: tokenizer.source
      ).root
      if try sections.required("normalizer").canonicalText == normalizer, preTokenizer == "null" {
        return prefixes
      }
    }
    throw failure(
      preTokenizer == "null" ? "normalizer" : "pre_tokenizer",
      "GGUF's llama vocabularies make spaces visible and may put one before a text, nothing else"
    )
  }

  /// Scores that order merges as their ranks do.
  private func scores(
    _ model: BytePairModel,
    count: Int
  ) throws(TokenizerError) -> [Float] {
    var scores = [Float](repeating: 0, count: count)
    var ranks = [Int](repeating: -1, count: count)
    var last: Int32 = -1
    for (rank, merge) in model.mergeList.enumerated() {
      let value = model.merges[PairTable.key(merge.left, merge.right)]
      let result = Int32(truncatingIfNeeded: value & 0xFFFF_FFFF)
      if result != last {
        // Scores belong to tokens, so all merges into one token must have neighbouring ranks.
        guard ranks[Int(result)] < 0 else {
          throw failure("model.merges[\(rank)]", "the merges have an order scores cannot express")
        }
        ranks[Int(result)] = rank
        scores[Int(result)] = -Float(rank + 1)
      }
      last = result
    }
    let scored = ScoredMergeModel(
      tokens: model.tokens,
      scores: .init(repeating: 0, count: model.tokens.idLimit),
      unknown: nil,
      at: .init(source: tokenizer.source, path: "model")
    )
    // Where scores decide, any two tokens whose text is a token can be merged.
    guard scored.mergesByScore().count == model.merges.count else {
      throw failure("model.merges", "merges are missing that scores would allow")
    }
    for id in 0..<count where ranks[id] < 0 { scores[id] = -1e6 }
    return scores
  }
}
