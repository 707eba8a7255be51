/// Cuts text at the visible spaces of SentencePiece vocabularies where that changes no id.
///
/// Such tokenizers hand the whole text to the model as one piece. If no token has a visible space
/// after another character, no merge crosses the place before one, so that the words between can
/// be merged on their own and remembered.
enum WordMarks {
  /// U+2581.
  static let mark: [UInt8] = [0xE2, 0x96, 0x81]

  /// Whether a visible space stands in the token after something that is not one.
  static func crosses(_ token: ArraySlice<UInt8>) -> Bool {
    var rest = token
    while rest.starts(with: mark) { rest = rest.dropFirst(mark.count) }
    while let place = rest.firstIndex(of: mark[0]) {
      rest = rest[place...]
      if rest.starts(with: mark) { return true }
      rest = rest.dropFirst()
    }
    return false
  }

  /// Where the word at `start` ends: before the next visible space that follows another character.
  @inline(__always)
  static func endOfWord(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Int {
    var position = start
    while isMark(text, position, end) { position += 3 }
    while position < end {
      if text[position] == 0xE2 && isMark(text, position, end) { return position }
      position += 1
    }
    return end
  }

  @inline(__always)
  private static func isMark(
    _ text: UnsafeBufferPointer<UInt8>,
    _ position: Int,
    _ end: Int
  ) -> Bool {
    position + 2 < end && text[position] == 0xE2 && text[position + 1] == 0x96
      && text[position + 2] == 0x81
  }
}

extension TokenModel {
  /// Whether text may be cut before each visible space that follows another character.
  var mayCutAtMarks: Bool {
    switch self {
    case .bytePair(let model):
      let options = model.options
      // A mark that is not a token could be part of a run of unknown characters.
      guard !options.ignoresMerges, options.continuationPrefix.isEmpty,
        options.endSuffix.isEmpty, model.tokens.id(WordMarks.mark) != nil
      else { return false }
      return model.mergeList.allSatisfy { merge in
        let value = model.merges[PairTable.key(merge.left, merge.right)]
        let token = model.tokens[Int(value & 0xFFFF_FFFF)] ?? []
        return !WordMarks.crosses(token)
      }
    case .scored(let model):
      return (0..<model.tokens.idLimit).allSatisfy { id in
        !WordMarks.crosses(model.tokens[id] ?? [])
      }
    case .unigram, .wordLevel: return false
    }
  }
}
