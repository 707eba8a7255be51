extension Tokenizer {
  /// Turns token ids back into text.
  ///
  /// Ids without a token, which padded models can produce, stand for nothing. Bytes that are not
  /// UTF-8, such as half a character, become U+FFFD.
  ///
  /// - Parameters:
  ///   - ids: The token ids.
  ///   - skipSpecialTokens: Whether to leave out the tokens marked as special.
  /// - Returns: The text.
  /// - Throws: ``TokenizerError`` if a regular expression of the file takes too many steps.
  public func decode(
    _ ids: [Int32],
    skipSpecialTokens: Bool = false
  ) throws(TokenizerError) -> String {
    let table = model.tokens
    if let decoders, decoders.count == 1, decoders[0] is ByteLevelDecoder {
      return decodeByteLevel(ids, table, skipSpecialTokens: skipSpecialTokens)
    }
    var tokens: [[UInt8]] = []
    tokens.reserveCapacity(ids.count)
    for id in ids {
      if let added = addedTokens[id] {
        if skipSpecialTokens && added.isSpecial { continue }
        tokens.append(addedTokens.decodedForm(id) ?? added.content)
      } else if let token = table[Int(id)] {
        tokens.append(Array(token))
      }
    }
    guard let decoders else {
      return String(decoding: Array(tokens.joined(separator: [0x20])), as: UTF8.self)
    }
    for decoder in decoders { tokens = try decoder.decode(tokens) }
    return String(decoding: Array(tokens.joined()), as: UTF8.self)
  }

  /// Does what ``ByteLevelDecoder`` does without a list for each token.
  private func decodeByteLevel(
    _ ids: [Int32],
    _ table: TokenTable,
    skipSpecialTokens: Bool
  ) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(ids.count * 4)
    for id in ids {
      if let added = addedTokens[id] {
        if skipSpecialTokens && added.isSpecial { continue }
        let form = addedTokens.decodedForm(id) ?? added.content
        if !ByteAlphabet.append(form, to: &bytes) { bytes += form }
      } else if let token = table[Int(id)] {
        if !ByteAlphabet.append(token, to: &bytes) { bytes += token }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The token with an id as the vocabulary writes it, or nil if there is none.
  ///
  /// - Parameter id: The token's id.
  /// - Returns: The token, in which bytes may be written as other characters.
  public func token(_ id: Int32) -> String? {
    if let added = addedTokens[id] { return String(decoding: added.content, as: UTF8.self) }
    return model.tokens.string(Int(id))
  }

  /// The id of a token as the vocabulary writes it, or nil if there is none.
  ///
  /// - Parameter token: The token, compared byte by byte.
  /// - Returns: The token's id.
  public func id(of token: String) -> Int32? {
    let bytes = Array(token.utf8)
    return addedTokens.tokens.last { $0.content == bytes }?.id ?? model.tokens.id(bytes)
  }

  /// One more than the largest id.
  public var vocabularySize: Int {
    let largest = addedTokens.tokens.map { Int($0.id) }.max() ?? -1
    return max(model.tokens.idLimit, largest + 1)
  }
}
