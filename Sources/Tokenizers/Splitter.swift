/// Runs the pre-tokenizers on a text and the model on each piece, through the word cache.
struct Splitter: Sendable {
  private enum Kind: Sendable {
    /// A hand-written scanner gives pieces of plain bytes.
    case scanner(Scanner)
    /// The steps give pieces; the last one leaves bytes as they are if the flag is set.
    case steps([any PreTokenizer], isRaw: Bool)
  }

  private let kind: Kind
  /// Whether pieces may be cut further, see ``WordMarks``.
  private let cutsAtMarks: Bool

  init(_ steps: [any PreTokenizer], model: TokenModel, usesScanners: Bool) {
    guard case .bytePair(let bytePair) = model, bytePair.acceptsRawBytes,
      var last = steps.last as? ByteLevel, last.mapsBytes
    else {
      kind = .steps(steps, isRaw: false)
      cutsAtMarks = model.mayCutAtMarks
      return
    }
    cutsAtMarks = false
    if usesScanners, let scanner = Scanner(steps) {
      kind = .scanner(scanner)
      return
    }
    // The model takes plain bytes, so mapping them to characters and back can be left out.
    last.mapsBytes = false
    kind = .steps(steps.dropLast() + [last], isRaw: true)
  }

  /// Appends the tokens of `text[range]`, which is well-formed UTF-8.
  func encode(
    _ text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    isAtOrigin: Bool,
    _ model: TokenModel,
    to output: inout TokenBuffer,
    _ workspace: Workspace
  ) throws(TokenizerError) {
    if range.isEmpty { return }
    switch kind {
    case .scanner(let scanner):
      try scanner.forEachPiece(in: text, range) { start, end throws(TokenizerError) in
        try Self.encodePiece(text, start, end, isRaw: true, model, to: &output, workspace)
      }
    case .steps(let steps, let isRaw):
      if steps.isEmpty {
        try encodeWords(text, range, isRaw: isRaw, model, to: &output, workspace)
        return
      }
      var list = PieceList(
        text: Array(text[range]),
        pieces: [.init(start: 0, end: range.count, isAtOrigin: isAtOrigin)]
      )
      for step in steps { try step.apply(&list) }
      let pieces = list.pieces
      try list.text.withUnsafeBufferPointer { text throws(TokenizerError) in
        for piece in pieces where piece.start < piece.end {
          try encodeWords(
            text,
            piece.start..<piece.end,
            isRaw: isRaw,
            model,
            to: &output,
            workspace
          )
        }
      }
    }
  }

  /// Encodes a piece, word by word where that gives the same ids.
  @inline(__always)
  private func encodeWords(
    _ text: UnsafeBufferPointer<UInt8>,
    _ piece: Range<Int>,
    isRaw: Bool,
    _ model: TokenModel,
    to output: inout TokenBuffer,
    _ workspace: Workspace
  ) throws(TokenizerError) {
    var start = piece.lowerBound
    while start < piece.upperBound {
      let end =
        cutsAtMarks
        ? WordMarks.endOfWord(text, start, piece.upperBound) : piece.upperBound
      try Self.encodePiece(text, start, end, isRaw: isRaw, model, to: &output, workspace)
      start = end
    }
  }

  @inline(__always)
  private static func encodePiece(
    _ text: UnsafeBufferPointer<UInt8>,
    _ start: Int,
    _ end: Int,
    isRaw: Bool,
    _ model: TokenModel,
    to output: inout TokenBuffer,
    _ workspace: Workspace
  ) throws(TokenizerError) {
    guard end - start <= WordCache.lengthLimit else {
      try model.encode(text, start, end, isRaw: isRaw, to: &output, &workspace.merge)
      return
    }
    let key = WordCache.key(text, start, end)
    if workspace.cache.append(key, text, start, end, to: &output) { return }
    let first = output.count
    try model.encode(text, start, end, isRaw: isRaw, to: &output, &workspace.merge)
    workspace.cache.insert(key, text, start, end, tokensFrom: first, of: output)
  }
}
