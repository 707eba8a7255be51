/// Writes a tokenizer.json from the vocabulary of a GGUF file.
struct TokenizerWriter {
  private let tokenizer: Tokenizer
  private let vocabulary: GGUFVocabulary
  private let layout: GGUFLayout

  init(_ tokenizer: Tokenizer, _ vocabulary: GGUFVocabulary, _ layout: GGUFLayout) {
    self.tokenizer = tokenizer
    self.vocabulary = vocabulary
    self.layout = layout
  }

  func write() throws(TokenizerError) -> String {
    let sections = layout.sectionsJSON(vocabulary).dropFirst().dropLast()
    return "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
      + "\"added_tokens\":[\(addedTokens)],\(sections),"
      + "\"post_processor\":\(postProcessor),\"model\":\(try model())}\n"
  }

  private var addedTokens: String {
    tokenizer.addedTokens.tokens.map { token in
      Self.addedToken(
        String(decoding: token.content, as: UTF8.self),
        id: token.id,
        isSpecial: token.isSpecial
      )
    }.joined(separator: ",")
  }

  static func addedToken(_ content: String, id: Int32, isSpecial: Bool) -> String {
    "{\"id\":\(id),\"content\":\(jsonQuoted(content)),\"single_word\":false,"
      + "\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":\(isSpecial)}"
  }

  private var postProcessor: String {
    let parts = tokenizer.postProcessor.parts
    if parts == [.text] { return "null" }
    var ids: [Int32] = []
    func piece(_ part: PostProcessor.Part, _ sequence: String, _ type: Int) -> String {
      switch part {
      case .text: return "{\"Sequence\":{\"id\":\"\(sequence)\",\"type_id\":\(type)}}"
      case .tokens(let tokens):
        return tokens.map { id in
          if !ids.contains(id) { ids.append(id) }
          return "{\"SpecialToken\":{\"id\":\(name(id)),\"type_id\":\(type)}}"
        }.joined(separator: ",")
      }
    }
    let single = parts.map { piece($0, "A", 0) }.joined(separator: ",")
    let second = parts.map { piece($0, "B", 1) }.joined(separator: ",")
    let tokens = ids.map { id in
      "\(name(id)):{\"id\":\(name(id)),\"ids\":[\(id)],\"tokens\":[\(name(id))]}"
    }.joined(separator: ",")
    return "{\"type\":\"TemplateProcessing\",\"single\":[\(single)],"
      + "\"pair\":[\(single),\(second)],\"special_tokens\":{\(tokens)}}"
  }

  private func name(_ id: Int32) -> String { jsonQuoted(tokenizer.token(id) ?? "") }

  private func model() throws(TokenizerError) -> String {
    let tokens = tokenizer.model.tokens
    let merges: [BytePairModel.Merge]
    let isScored: Bool
    switch tokenizer.model {
    case .bytePair(let model):
      merges = model.mergeList
      isScored = false
    case .scored(let model):
      merges = model.mergesByScore()
      isScored = true
    default:
      throw TokenizerError(
        .notExportable,
        at: .init(source: tokenizer.source, path: "model"),
        "the model has no counterpart in tokenizer.json",
        remedy: "keep the original file"
      )
    }
    let unknown = isScored ? vocabulary.unknown.map(name) ?? "null" : "null"
    return Self.bytePairModel(
      tokens,
      merges,
      unknown: unknown,
      isScored: isScored,
      ignoresMerges: layout.ignoresMerges
    )
  }

  /// The section `model` of a BPE tokenizer.
  static func bytePairModel(
    _ tokens: TokenTable,
    _ merges: [BytePairModel.Merge],
    unknown: String = "null",
    isScored: Bool = false,
    ignoresMerges: Bool = false
  ) -> String {
    let entries = (0..<tokens.idLimit).map { id in
      "\(jsonQuoted(tokens.string(id) ?? "")):\(id)"
    }.joined(separator: ",")
    let pairs = merges.map { merge in
      let left = jsonQuoted(tokens.string(Int(merge.left)) ?? "")
      return "[\(left),\(jsonQuoted(tokens.string(Int(merge.right)) ?? ""))]"
    }.joined(separator: ",")
    return "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":\(unknown),"
      + "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":\(isScored),"
      + "\"byte_fallback\":\(isScored),\"ignore_merges\":\(ignoresMerges),"
      + "\"vocab\":{\(entries)},\"merges\":[\(pairs)]}"
  }
}

extension ScoredMergeModel {
  /// The merges that the scores stand for: every way to cut a token into two tokens, highest
  /// score first.
  func mergesByScore() -> [BytePairModel.Merge] {
    var result: [(score: Float, id: Int, merge: BytePairModel.Merge)] = []
    for id in 0..<tokens.idLimit {
      guard let token = tokens[id] else { continue }
      for cut in token.indices.dropFirst() where token[cut] & 0xC0 != 0x80 {
        if let left = tokens.id(token[..<cut]), let right = tokens.id(token[cut...]) {
          result.append((scores[id], id, .init(left: left, right: right)))
        }
      }
    }
    result.sort { $0.score > $1.score || ($0.score == $1.score && $0.id < $1.id) }
    return result.map(\.merge)
  }
}
