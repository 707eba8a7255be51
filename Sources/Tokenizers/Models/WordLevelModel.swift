/// A vocabulary of whole pieces.
struct WordLevelModel: Sendable {
  let tokens: TokenTable
  private let unknown: Int32?

  init(_ json: JSONValue) throws(TokenizerError) {
    try json.allow(["type", "vocab", "unk_token"])
    tokens = try TokenTable(vocabulary: json.required("vocab"))
    unknown = tokens.id(try json.required("unk_token").string())
  }

  func encode(
    _ piece: UnsafeBufferPointer<UInt8>,
    to output: inout TokenBuffer
  ) throws(TokenizerError) {
    guard let id = tokens.id(piece) ?? unknown else {
      throw TokenizerError(
        .unknownToken,
        at: .init(source: "", path: "model.unk_token"),
        "the text has a word that is not in the vocabulary",
        remedy: "use a tokenizer with an unknown token"
      )
    }
    output.append(id)
  }
}
