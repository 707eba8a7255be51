/// What turns one piece of text into token ids.
enum TokenModel: Sendable {
  case bytePair(BytePairModel)
  case unigram(UnigramModel)
  case wordLevel(WordLevelModel)
  case scored(ScoredMergeModel)

  var tokens: TokenTable {
    switch self {
    case .bytePair(let model): model.tokens
    case .unigram(let model): model.tokens
    case .wordLevel(let model): model.tokens
    case .scored(let model): model.tokens
    }
  }

  /// Appends the tokens of a piece that is not empty.
  ///
  /// - Parameters:
  ///   - text: The text that holds the piece.
  ///   - start: Where the piece starts.
  ///   - end: Where the piece ends.
  ///   - isRaw: Whether the vocabulary is byte-level while the piece is plain bytes.
  ///   - output: Where the ids go.
  ///   - scratch: Memory to work in.
  /// - Throws: ``TokenizerError`` if the piece has what the vocabulary cannot express.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>,
    _ start: Int,
    _ end: Int,
    isRaw: Bool,
    to output: inout TokenBuffer,
    _ scratch: inout MergeScratch
  ) throws(TokenizerError) {
    let piece = UnsafeBufferPointer(rebasing: text[start..<end])
    switch self {
    case .bytePair(let model):
      if isRaw {
        try model.encodeRaw(piece, to: &output, &scratch)
      } else {
        try model.encode(piece, to: &output, &scratch)
      }
    case .unigram(let model): try model.encode(piece, to: &output)
    case .wordLevel(let model): try model.encode(piece, to: &output)
    case .scored(let model): try model.encode(piece, to: &output)
    }
  }

  /// Reads the section `model` of a tokenizer.json.
  init(_ json: JSONValue) throws(TokenizerError) {
    // Files from before the key existed hold BPE models.
    let type = try json.optional("type")?.string() ?? "BPE"
    switch type {
    case "BPE": self = .bytePair(try BytePairModel(json))
    case "Unigram": self = .unigram(try UnigramModel(json))
    case "WordLevel": self = .wordLevel(try WordLevelModel(json))
    default:
      throw json.failure(
        .unsupported,
        "the model '\(type)' is not supported",
        remedy: "use a BPE, Unigram or WordLevel tokenizer"
      )
    }
  }
}

extension TokenTable {
  /// Reads an object that maps tokens to ids.
  init(vocabulary json: JSONValue) throws(TokenizerError) {
    let keys = try json.childIndices(.object)
    let document = json.document
    // Ids may have holes where added tokens belong, but not so many that a small file asks for
    // much memory.
    let limit = keys.count * 2 + 65_536
    self.init(capacity: keys.count)
    for key in keys {
      let number = document.nodes[key + 1]
      let id = number.kind == .number ? Int32(document.string(at: key + 1)) : nil
      guard let id, id >= 0, Int(id) < limit else {
        throw json.failure(
          .invalidValue,
          "the id of '\(document.string(at: key))' is not a whole number from 0 to \(limit - 1)"
        )
      }
      let inserted = document.withBytes(at: key) { insert($0, id: Int(id)) }
      guard inserted else {
        throw json.failure(
          .inconsistentVocabulary,
          "the token '\(document.string(at: key))' or its id \(id) occurs twice"
        )
      }
    }
  }
}
