/// Byte-pair encoding: the symbols of a piece are merged pair by pair, lowest rank first.
///
/// Source: Sennrich, Haddow and Birch, *Neural Machine Translation of Rare Words with Subword
/// Units*, 2016, arXiv:1508.07909; options as the `tokenizers` library defines them.
struct BytePairModel: Sendable {
  /// What a model does besides merging.
  struct Options: Sendable {
    /// The token for characters that are not in the vocabulary; without it they are dropped.
    var unknownToken: String?
    /// Put before each symbol but a piece's first when it is looked up.
    var continuationPrefix: [UInt8] = []
    /// Put after a piece's last symbol when it is looked up.
    var endSuffix: [UInt8] = []
    /// Whether neighbouring unknown characters share one token.
    var fusesUnknown = false
    /// Whether an unknown character becomes tokens named `<0x00>` to `<0xFF>`.
    var fallsBackToBytes = false
    /// Whether a piece that is a token is that token, merges or not.
    var ignoresMerges = false
  }

  /// Two symbols, and by its place in the list the rank of merging them.
  struct Merge: Sendable {
    let left: Int32
    let right: Int32
  }

  let tokens: TokenTable
  let options: Options
  /// In order of rank.
  let mergeList: [Merge]
  /// For a pair, rank and result.
  let merges: PairTable
  private let unknown: Int32?
  private let location: TokenizerError.Location
  /// The tokens named `<0x00>` to `<0xFF>`, -1 for those that are missing.
  private let fallback: [Int32]
  /// The symbols of single bytes in a byte-level vocabulary, -1 for those that are missing: often
  /// the thirteen that UTF-8 never uses.
  private let byteSymbols: [Int32]
  /// For ids whose merges are ignored: bytes to ids, where the vocabulary is byte-level.
  private let rawTokens: TokenTable?

  /// Whether pieces may be passed as plain bytes.
  var acceptsRawBytes: Bool { options.continuationPrefix.isEmpty && options.endSuffix.isEmpty }

  /// Creates a model.
  ///
  /// - Parameters:
  ///   - tokens: The vocabulary.
  ///   - merges: The pairs in order of rank; the last of two equal pairs counts.
  ///   - options: What the model does besides merging.
  ///   - location: Where the model comes from, for errors.
  /// - Throws: ``TokenizerError`` if a merge is of tokens, or makes one, that do not exist.
  init(
    tokens: TokenTable,
    merges: [Merge],
    options: Options,
    at location: TokenizerError.Location
  ) throws(TokenizerError) {
    self.tokens = tokens
    self.options = options
    mergeList = merges
    self.merges = try Self.table(tokens, merges, options, location)
    unknown = options.unknownToken.flatMap { tokens.id($0) }
    self.location = location
    fallback = (UInt8.min...UInt8.max).map { byte in tokens.id(byteTokenName(byte)) ?? -1 }
    byteSymbols = ByteAlphabet.encoded.map { tokens.id($0) ?? -1 }
    rawTokens = options.ignoresMerges ? Self.rawTable(tokens) : nil
  }

  private static func table(
    _ tokens: TokenTable,
    _ list: [Merge],
    _ options: Options,
    _ location: TokenizerError.Location
  ) throws(TokenizerError) -> PairTable {
    guard list.count < Int(Int32.max) else {
      throw TokenizerError(
        .tooLarge,
        at: location,
        "there are \(list.count) merges",
        remedy: JSONValue.defaultRemedy
      )
    }
    var table = PairTable(capacity: list.count)
    for (rank, merge) in list.enumerated() {
      guard let left = tokens[Int(merge.left)], let right = tokens[Int(merge.right)] else {
        throw TokenizerError(
          .inconsistentVocabulary,
          at: location,
          "merge \(rank) is of a token that does not exist",
          remedy: JSONValue.defaultRemedy
        )
      }
      let result = left + right.dropFirst(options.continuationPrefix.count)
      guard let id = tokens.id(result) else {
        throw TokenizerError(
          .inconsistentVocabulary,
          at: location,
          "merge \(rank) makes '\(String(decoding: result, as: UTF8.self))', which is not a token",
          remedy: JSONValue.defaultRemedy
        )
      }
      let key = PairTable.key(merge.left, merge.right)
      table.insert(key, UInt64(rank) << 32 | UInt64(id))
    }
    return table
  }

  private static func rawTable(_ tokens: TokenTable) -> TokenTable {
    var table = TokenTable(capacity: tokens.count)
    for id in 0..<tokens.idLimit {
      if let token = tokens[id], let bytes = ByteAlphabet.decode(token) {
        _ = table.insert(bytes, id: id)
      }
    }
    return table
  }

  /// Appends the tokens of a piece of plain bytes, for a byte-level vocabulary.
  ///
  /// - Precondition: ``acceptsRawBytes``.
  func encodeRaw(
    _ piece: UnsafeBufferPointer<UInt8>,
    to output: inout TokenBuffer,
    _ scratch: inout MergeScratch
  ) throws(TokenizerError) {
    if let rawTokens, let id = rawTokens.id(piece) {
      output.append(id)
      return
    }
    scratch.symbols.removeAll(keepingCapacity: true)
    for byte in piece {
      let symbol = byteSymbols[Int(byte)]
      if symbol < 0 {
        // What becomes of a missing byte is a matter of its character.
        let mapped = ByteAlphabet.encode(piece)
        try mapped.withUnsafeBufferPointer { mapped throws(TokenizerError) in
          try encode(mapped, to: &output, &scratch)
        }
        return
      }
      scratch.symbols.append(symbol)
    }
    finish(to: &output, &scratch)
  }

  /// Appends the tokens of a piece of text.
  func encode(
    _ piece: UnsafeBufferPointer<UInt8>,
    to output: inout TokenBuffer,
    _ scratch: inout MergeScratch
  ) throws(TokenizerError) {
    if options.ignoresMerges, let id = tokens.id(piece) {
      output.append(id)
      return
    }
    scratch.symbols.removeAll(keepingCapacity: true)
    // An unknown token waits until a known character follows, so that it can be fused.
    var hasPendingUnknown = false
    var position = 0
    while position < piece.count {
      let end = position + sequenceLength(piece[position])
      let id = symbol(piece, position, end)
      if let id {
        if hasPendingUnknown, let unknown { scratch.symbols.append(unknown) }
        hasPendingUnknown = false
        scratch.symbols.append(id)
      } else if !appendFallback(piece, position, end, to: &scratch) {
        if let name = options.unknownToken {
          guard let unknown else { throw missingUnknown(name) }
          if hasPendingUnknown && !options.fusesUnknown { scratch.symbols.append(unknown) }
          hasPendingUnknown = true
        }
      }
      position = end
    }
    if hasPendingUnknown, let unknown { scratch.symbols.append(unknown) }
    finish(to: &output, &scratch)
  }

  private func finish(to output: inout TokenBuffer, _ scratch: inout MergeScratch) {
    scratch.mergeAll(merges)
    for symbol in scratch.symbols { output.append(symbol) }
  }

  /// The token of one character, with the prefix and suffix its place asks for.
  private func symbol(_ piece: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Int32? {
    let character = UnsafeBufferPointer(rebasing: piece[start..<end])
    let needsPrefix = start > 0 && !options.continuationPrefix.isEmpty
    let needsSuffix = end == piece.count && !options.endSuffix.isEmpty
    if !needsPrefix && !needsSuffix { return tokens.id(character) }
    let prefix = needsPrefix ? options.continuationPrefix : []
    return tokens.id(prefix + character + (needsSuffix ? options.endSuffix : []))
  }

  private func missingUnknown(_ name: String) -> TokenizerError {
    TokenizerError(
      .inconsistentVocabulary,
      at: location,
      "the text needs the unknown token '\(name)', which is not in the vocabulary",
      remedy: JSONValue.defaultRemedy
    )
  }

  /// Appends the byte tokens of one character; returns false if one of them is missing.
  private func appendFallback(
    _ piece: UnsafeBufferPointer<UInt8>,
    _ start: Int,
    _ end: Int,
    to scratch: inout MergeScratch
  ) -> Bool {
    guard options.fallsBackToBytes else { return false }
    var bytes = Array(piece[start..<end])
    if start > 0 { bytes = options.continuationPrefix + bytes }
    if end == piece.count { bytes += options.endSuffix }
    guard bytes.allSatisfy({ fallback[Int($0)] >= 0 }) else { return false }
    for byte in bytes { scratch.symbols.append(fallback[Int(byte)]) }
    return true
  }
}

/// The name of the token that stands for a byte in vocabularies of characters, as `<0x0A>`.
func byteTokenName(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16, uppercase: true)
  return "<0x\(byte < 16 ? "0" : "")\(digits)>"
}
