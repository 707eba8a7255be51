/// A unigram language model: of all ways to cut a piece into tokens, the one with the largest
/// sum of scores.
///
/// Source: Kudo, *Subword Regularization*, 2018, arXiv:1804.10959, section 3.2, without sampling;
/// penalties and ties as the `tokenizers` library has them.
struct UnigramModel: Sendable {
  /// How much lower than the lowest score an unknown character scores.
  private static let unknownPenalty = 10.0

  let tokens: TokenTable
  /// The score of each id.
  let scores: [Double]
  let unknown: Int?
  let fallsBackToBytes: Bool
  private let trie: ByteTrie
  private let lowestScore: Double

  init(_ json: JSONValue) throws(TokenizerError) {
    try json.allow(["type", "unk_id", "vocab", "byte_fallback"])
    let vocabulary = try json.required("vocab")
    let document = json.document
    let entries = try vocabulary.childIndices(.array)
    var tokens = TokenTable(capacity: entries.count)
    var scores: [Double] = []
    for (id, entry) in entries.enumerated() {
      let node = document.nodes[entry]
      let location = TokenizerError.Location(
        source: document.source,
        path: "\(vocabulary.path)[\(id)]"
      )
      guard node.kind == .array, node.count == 2, document.nodes[entry + 1].kind == .string,
        document.nodes[entry + 2].kind == .number,
        let score = Double(document.string(at: entry + 2)), score.isFinite
      else {
        throw TokenizerError(
          .wrongType,
          at: location,
          "expected a token and its score",
          remedy: JSONValue.defaultRemedy
        )
      }
      guard document.withBytes(at: entry + 1, { tokens.insert($0, id: id) }) else {
        throw TokenizerError(
          .inconsistentVocabulary,
          at: location,
          "the token '\(document.string(at: entry + 1))' occurs twice",
          remedy: JSONValue.defaultRemedy
        )
      }
      scores.append(score)
    }
    if let value = try json.optional("unk_id") {
      let id = try value.integer()
      guard id < scores.count else {
        throw value.failure(.inconsistentVocabulary, "the id \(id) is not in the vocabulary")
      }
      unknown = id
    } else {
      unknown = nil
    }
    trie = ByteTrie(tokens)
    lowestScore = scores.min() ?? .infinity
    self.tokens = tokens
    self.scores = scores
    fallsBackToBytes = try json.optional("byte_fallback")?.bool() ?? false
  }

  /// The best way to reach a position.
  private struct Step {
    var score = 0.0
    var id: Int32 = -1
    /// Where the last token starts, -1 while the position has not been reached.
    var start = -1
  }

  func encode(
    _ piece: UnsafeBufferPointer<UInt8>,
    to output: inout TokenBuffer
  ) throws(TokenizerError) {
    var steps = [Step](repeating: .init(), count: piece.count + 1)
    let unknownScore = lowestScore - Self.unknownPenalty
    var position = 0
    while position < piece.count {
      let here = steps[position].score
      let length = sequenceLength(piece[position])
      var coversCharacter = false
      trie.forEachPrefix(of: piece, from: position) { id, end in
        let score = scores[Int(id)] + here
        if steps[end].start < 0 || score > steps[end].score {
          steps[end] = .init(score: score, id: id, start: position)
        }
        if end == position + length { coversCharacter = true }
      }
      if !coversCharacter {
        guard let unknown else { throw missingUnknown() }
        let end = position + length
        let score = unknownScore + here
        if steps[end].start < 0 || score > steps[end].score {
          steps[end] = .init(score: score, id: Int32(unknown), start: position)
        }
      }
      position += length
    }
    try append(steps, piece, to: &output)
  }

  /// Follows the best steps back from the end and appends their tokens in order.
  private func append(
    _ steps: [Step],
    _ piece: UnsafeBufferPointer<UInt8>,
    to output: inout TokenBuffer
  ) throws(TokenizerError) {
    var ranges: [Range<Int>] = []
    var end = piece.count
    var endOfUnknown: Int?
    while end > 0 {
      let step = steps[end]
      if Int(step.id) == unknown {
        endOfUnknown = endOfUnknown ?? end
      } else {
        if let last = endOfUnknown { ranges.append(end..<last) }
        endOfUnknown = nil
        ranges.append(step.start..<end)
      }
      end = step.start
    }
    if let last = endOfUnknown { ranges.append(0..<last) }
    for range in ranges.reversed() {
      let part = UnsafeBufferPointer(rebasing: piece[range])
      if let id = tokens.id(part) {
        output.append(id)
        continue
      }
      if fallsBackToBytes {
        let bytes = part.compactMap { tokens.id(byteTokenName($0)) }
        if bytes.count == part.count {
          for id in bytes { output.append(id) }
          continue
        }
      }
      guard let unknown else { throw missingUnknown() }
      output.append(Int32(unknown))
    }
  }

  private func missingUnknown() -> TokenizerError {
    TokenizerError(
      .unknownToken,
      at: .init(source: "", path: "model.unk_id"),
      "the text has a character that is not in the vocabulary",
      remedy: "use a tokenizer with an unknown token"
    )
  }
}
