extension Tokenizer {
  /// Turns a text into token ids and says which bytes of it each token stands for.
  ///
  /// The ids are those of `encode(_:addSpecialTokens:)` without the tokens around the text. The
  /// ranges follow each other and cover the text. A token that the tokenizer puts in, such as the
  /// space before the first word of some vocabularies, has an empty range, and one that begins
  /// with such a space covers what follows it.
  ///
  /// - Parameter text: The text. Added tokens in it, such as `<|im_end|>`, become their ids.
  /// - Returns: The ids, each with a range of the text's UTF-8 bytes.
  /// - Throws: ``TokenizerError`` with `rangeNotFound` if the tokenizer changes the text, as by
  ///   bringing it into a normal form that it is not in, drops parts of it or does not know them;
  ///   otherwise as encoding.
  /// - Complexity: As encoding, and O(n) in the text.
  public func encodeWithRanges(
    _ text: String
  ) throws(TokenizerError) -> [(id: Int32, bytes: Range<Int>)] {
    var text = text
    text.makeContiguousUTF8()
    let result = text.utf8.withContiguousStorageIfAvailable { bytes in
      Result { () throws(TokenizerError) in try encodeWithRanges(bytes) }
    }
    return try result?.get() ?? []
  }

  /// Encodes the segments of a conversation as one text and says which tokens are answers.
  ///
  /// A token is part of an answer if its first byte is, so a token that reaches from a prompt into
  /// an answer, which the model could not give after that prompt, is not.
  ///
  /// ```swift
  /// let segments = try template.renderedSegments(messages: messages)
  /// let (ids, isAnswer) = try tokenizer.encode(segments: segments)
  /// ```
  ///
  /// - Parameter segments: The text in parts, as ``ChatTemplate`` gives them.
  /// - Returns: The ids of the joined text, and for each whether it is part of an answer.
  /// - Throws: ``TokenizerError`` as ``encodeWithRanges(_:)``; unlike there, a normalizer may change
  ///   the text if it changes no segment by way of its neighbours.
  public func encode(
    segments: [(text: String, isAnswer: Bool)]
  ) throws(TokenizerError) -> (ids: [Int32], isAnswer: [Bool]) {
    let text = segments.map(\.text).joined()
    do throws(TokenizerError) {
      return Self.mask(try encodeWithRanges(text), segments)
    } catch {
      guard error.code == .rangeNotFound, let normalizer else { throw error }
      // Normal forms can be taken beforehand, segment by segment, if that gives the same ids.
      var normalized: [(text: String, isAnswer: Bool)] = []
      for segment in segments {
        var form = NormalizedText(bytes: Array(segment.text.utf8), startsAtOrigin: false)
        try normalizer.normalize(&form)
        normalized.append((String(decoding: form.bytes, as: UTF8.self), segment.isAnswer))
      }
      let tokens = try encodeWithRanges(normalized.map(\.text).joined())
      guard try encode(text) == tokens.map(\.id) else { throw error }
      return Self.mask(tokens, normalized)
    }
  }

  /// The tokens that decoding may skip and that mark the parts of a text, with their ids.
  public var specialTokens: [(token: String, id: Int32)] {
    addedTokens.tokens.filter(\.isSpecial).map { token in
      (String(decoding: token.content, as: UTF8.self), token.id)
    }
  }

  private static func mask(
    _ tokens: [(id: Int32, bytes: Range<Int>)],
    _ segments: [(text: String, isAnswer: Bool)]
  ) -> (ids: [Int32], isAnswer: [Bool]) {
    var ends: [Int] = []
    for segment in segments { ends.append((ends.last ?? 0) + segment.text.utf8.count) }
    var index = 0
    let isAnswer = tokens.map { token in
      while index < ends.count - 1, ends[index] <= token.bytes.lowerBound { index += 1 }
      return segments[index].isAnswer
    }
    return (tokens.map(\.id), isAnswer)
  }

  private func encodeWithRanges(
    _ text: UnsafeBufferPointer<UInt8>
  ) throws(TokenizerError) -> [(id: Int32, bytes: Range<Int>)] {
    guard text.count < Int(Int32.max) else {
      throw TokenizerError(
        .tooLarge,
        at: .init(source: source, path: ""),
        "the text has \(text.count) bytes, more than \(Int32.max)",
        remedy: "encode it in parts"
      )
    }
    let workspace = workspaces.take()
    defer { workspaces.giveBack(workspace) }
    let surfaces = TokenSurfaces(self)
    var result: [(id: Int32, bytes: Range<Int>)] = []
    let sections =
      addedTokens.hasPlain
      ? addedTokens.plainSections(text) : [.init(start: 0, end: text.count, id: nil)]
    for section in sections {
      let range = section.start..<section.end
      if let id = section.id {
        result.append((id, range))
        continue
      }
      var output = TokenBuffer(capacity: range.count / 3)
      try encode(section: text, range, to: &output, workspace)
      try surfaces.align(output.array, with: text, range, to: &result)
    }
    return result
  }
}

/// Finds tokens again in the text that they were made from.
private struct TokenSurfaces {
  private let tokenizer: Tokenizer
  private let isByteLevel: Bool
  private let fallsBackToBytes: Bool
  /// What stands for a space in the vocabulary.
  private let mark: [UInt8]

  init(_ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    isByteLevel =
      tokenizer.preTokenizers.contains { ($0 as? ByteLevel)?.mapsBytes == true }
      || tokenizer.normalizer is ByteLevelNormalizer
    let metaspace = tokenizer.preTokenizers.lazy.compactMap { $0 as? Metaspace }.first
    mark = metaspace.map { Array(String(Character($0.replacement)).utf8) } ?? WordMarks.mark
    switch tokenizer.model {
    case .bytePair(let model): fallsBackToBytes = model.options.fallsBackToBytes
    case .unigram, .scored: fallsBackToBytes = true
    case .wordLevel: fallsBackToBytes = false
    }
  }

  /// Appends the tokens of `text[range]` with the bytes they stand for.
  ///
  /// Every byte is compared, so that a wrong range is not possible, up to which of two
  /// neighbouring spaces was put in.
  func align(
    _ ids: [Int32],
    with text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    to result: inout [(id: Int32, bytes: Range<Int>)]
  ) throws(TokenizerError) {
    var position = range.lowerBound
    var mayHavePutInSpace = true
    for id in ids {
      let candidates = surfaces(id)
      var length: Int?
      for candidate in candidates where length == nil {
        let rest = text[position..<range.upperBound]
        if rest.starts(with: candidate) { length = candidate.count }
      }
      if length == nil, mayHavePutInSpace {
        for candidate in candidates where length == nil && candidate.first == 0x20 {
          let rest = text[position..<range.upperBound]
          if rest.starts(with: candidate.dropFirst()) { length = candidate.count - 1 }
        }
        if length != nil { mayHavePutInSpace = false }
      }
      guard let length else { throw notFound(id, position) }
      result.append((id, position..<(position + length)))
      position += length
    }
    guard position == range.upperBound else { throw notFound(nil, position) }
  }

  /// What a token may have been in the text, likeliest first.
  private func surfaces(_ id: Int32) -> [[UInt8]] {
    if let added = tokenizer.addedTokens[id] { return [added.content] }
    guard let token = tokenizer.model.tokens[Int(id)] else { return [] }
    if isByteLevel { return [ByteAlphabet.decode(token) ?? Array(token)] }
    let plain = Array(token)
    var result = [plain]
    if plain.count >= mark.count {
      let spaced = plain.replacing(mark, with: [0x20])
      if spaced.count != plain.count || spaced != plain { result.append(spaced) }
    }
    if fallsBackToBytes, plain.count == 6, plain.starts(with: "<0x".utf8), plain[5] == 0x3E,
      let byte = UInt8(String(decoding: plain[3..<5], as: UTF8.self), radix: 16)
    {
      result.append([byte])
    }
    return result
  }

  private func notFound(_ id: Int32?, _ position: Int) -> TokenizerError {
    let what = id.flatMap { tokenizer.token($0) }.map { "the token '\($0)'" } ?? "the end"
    return TokenizerError(
      .rangeNotFound,
      at: .init(source: tokenizer.source, path: "byte \(position)"),
      "\(what) does not stand for what the text has there, since the tokenizer changes the text",
      remedy:
        "bring the text into the tokenizer's normal form first, or encode its parts one by one"
    )
  }
}
