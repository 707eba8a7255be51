public import Foundation

/// Turns text into token ids and back, exactly as the file it was read from defines.
///
/// Reads the `tokenizer.json` of the Hugging Face `tokenizers` library and the vocabularies inside
/// GGUF files. Ids are those of the `tokenizers` library and, for GGUF, those of the layout that
/// the named pre-tokenizer was published with. What a file asks for and this library does not
/// have is an error when the file is opened.
///
/// ```swift
/// let tokenizer = try Tokenizer(tokenizerJSON: data, source: "tokenizer.json")
/// let ids = try tokenizer.encode("Hello world")
/// let text = try tokenizer.decode(ids)
/// ```
///
/// Encoding may run on many threads at once. Each concurrent call borrows a cache of seven
/// megabytes, which is kept for later calls.
public final class Tokenizer: Sendable {
  /// What the tokenizer was made from.
  enum Origin: Sendable {
    case json(Data)
    case gguf(GGUFVocabulary, GGUFLayout)
  }

  let source: String
  let origin: Origin
  let addedTokens: AddedTokens
  let normalizer: (any Normalizer)?
  let preTokenizers: [any PreTokenizer]
  let model: TokenModel
  let postProcessor: PostProcessor
  let decoders: [any Decoder]?
  private let splitter: Splitter
  let workspaces = WorkspacePool()

  /// The id of the token that starts a text, if the file or the caller names one.
  public let beginningOfText: Int32?
  /// The id of the token that ends a text, if the file or the caller names one.
  public let endOfText: Int32?

  /// The parts a tokenizer is made of.
  struct Parts {
    var source: String
    var origin: Origin
    var addedTokens: AddedTokens
    var normalizer: (any Normalizer)?
    var preTokenizers: [any PreTokenizer]
    var model: TokenModel
    var postProcessor: PostProcessor
    var decoders: [any Decoder]?
    var beginningOfText: Int32?
    var endOfText: Int32?
    var usesScanners = true
  }

  init(_ parts: Parts) {
    source = parts.source
    origin = parts.origin
    addedTokens = parts.addedTokens
    normalizer = parts.normalizer
    preTokenizers = parts.preTokenizers
    model = parts.model
    postProcessor = parts.postProcessor
    decoders = parts.decoders
    beginningOfText = parts.beginningOfText
    endOfText = parts.endOfText
    splitter = Splitter(
      parts.preTokenizers,
      model: parts.model,
      usesScanners: parts.usesScanners
    )
  }

  /// Reads a tokenizer.json.
  ///
  /// The sections `truncation` and `padding` are checked to be null or objects and otherwise
  /// ignored: they shape batches, which is not this library's work, and change no id.
  ///
  /// - Parameters:
  ///   - data: The bytes of the file.
  ///   - source: The file's name, for errors.
  ///   - beginningOfText: The token that starts a text, such as `bos_token` of
  ///     tokenizer_config.json; tokenizer.json does not say.
  ///   - endOfText: The token that ends a text, such as `eos_token` of tokenizer_config.json.
  /// - Throws: ``TokenizerError`` if the file is malformed, contradicts itself or asks for what
  ///   this library does not have.
  public convenience init(
    tokenizerJSON data: Data,
    source: String,
    beginningOfText: String? = nil,
    endOfText: String? = nil
  ) throws(TokenizerError) {
    var parts = try TokenizerFile.read(data, source: source)
    parts.beginningOfText = try Self.find(beginningOfText, in: parts)
    parts.endOfText = try Self.find(endOfText, in: parts)
    self.init(parts)
  }

  /// Reads the vocabulary of a GGUF file.
  ///
  /// - Parameters:
  ///   - vocabulary: The metadata under `tokenizer.ggml`.
  ///   - source: The file's name, for errors.
  /// - Throws: ``TokenizerError`` if the arrays contradict each other, or if the model or the
  ///   pre-tokenizer is not one this library knows.
  public convenience init(
    _ vocabulary: GGUFVocabulary,
    source: String
  ) throws(TokenizerError) {
    self.init(try GGUFReader.read(vocabulary, source: source))
  }

  private static func find(
    _ token: String?,
    in parts: Parts
  ) throws(TokenizerError) -> Int32? {
    guard let token else { return nil }
    let bytes = Array(token.utf8)
    let added = parts.addedTokens.tokens.last { $0.content == bytes }?.id
    guard let id = added ?? parts.model.tokens.id(bytes) else {
      throw TokenizerError(
        .missingValue,
        at: .init(source: parts.source, path: ""),
        "the token '\(token)' is not in the vocabulary",
        remedy: "check tokenizer_config.json against tokenizer.json"
      )
    }
    return id
  }

  // MARK: Encoding

  /// Turns a text into token ids.
  ///
  /// - Parameters:
  ///   - text: The text. Added tokens in it, such as `<|im_end|>`, become their ids.
  ///   - addSpecialTokens: Whether to put the tokens around it that the file asks for.
  /// - Returns: The ids, each from 0 and below ``vocabularySize``.
  /// - Throws: ``TokenizerError`` if the text has what the vocabulary cannot express, or if a
  ///   regular expression of the file takes too many steps.
  /// - Complexity: O(n log n) in the bytes of the longest piece, O(n) in the text.
  public func encode(
    _ text: String,
    addSpecialTokens: Bool = false
  ) throws(TokenizerError) -> [Int32] {
    var text = text
    text.makeContiguousUTF8()
    let result = text.utf8.withContiguousStorageIfAvailable { bytes in
      Result { () throws(TokenizerError) in try encode(wellFormed: bytes) }
    }
    return postProcessor.process(
      try result?.get() ?? [],
      addSpecialTokens: addSpecialTokens
    )
  }

  /// Turns bytes into token ids.
  ///
  /// What is not UTF-8 is read as U+FFFD first, one for each maximal part of a sequence, as
  /// Python's `bytes.decode("utf-8", errors="replace")` does.
  ///
  /// - Parameters:
  ///   - bytes: The text.
  ///   - addSpecialTokens: Whether to put the tokens around it that the file asks for.
  /// - Returns: The ids, each from 0 and below ``vocabularySize``.
  /// - Throws: ``TokenizerError`` as the other overloads.
  public func encode(
    bytes: [UInt8],
    addSpecialTokens: Bool = false
  ) throws(TokenizerError) -> [Int32] {
    try encode(String(decoding: bytes, as: UTF8.self), addSpecialTokens: addSpecialTokens)
  }

  /// Turns the bytes of a buffer, such as a mapped file, into token ids.
  ///
  /// - Parameters:
  ///   - bytes: The text, read as ``encode(bytes:addSpecialTokens:)`` reads it.
  ///   - addSpecialTokens: Whether to put the tokens around it that the file asks for.
  /// - Returns: The ids, each from 0 and below ``vocabularySize``.
  /// - Throws: ``TokenizerError`` as the other overloads.
  public func encode(
    _ bytes: UnsafeRawBufferPointer,
    addSpecialTokens: Bool = false
  ) throws(TokenizerError) -> [Int32] {
    try encode(String(decoding: bytes, as: UTF8.self), addSpecialTokens: addSpecialTokens)
  }

  private func encode(
    wellFormed text: UnsafeBufferPointer<UInt8>
  ) throws(TokenizerError) -> [Int32] {
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
    var output = TokenBuffer(capacity: text.count / 3)
    guard addedTokens.hasPlain else {
      try encode(section: text, 0..<text.count, to: &output, workspace)
      return output.array
    }
    for section in addedTokens.plainSections(text) {
      if let id = section.id {
        output.append(id)
      } else {
        try encode(section: text, section.start..<section.end, to: &output, workspace)
      }
    }
    return output.array
  }

  /// Encodes text that holds none of the tokens looked for before normalization.
  func encode(
    section text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    to output: inout TokenBuffer,
    _ workspace: Workspace
  ) throws(TokenizerError) {
    guard !range.isEmpty else { return }
    let isAtOrigin = range.lowerBound == 0
    guard let normalizer else {
      try encode(normalized: text, range, isAtOrigin: isAtOrigin, to: &output, workspace)
      return
    }
    var normalized = NormalizedText(bytes: Array(text[range]), startsAtOrigin: isAtOrigin)
    try normalizer.normalize(&normalized)
    let isStillAtOrigin = normalized.startsAtOrigin
    try normalized.bytes.withUnsafeBufferPointer { text throws(TokenizerError) in
      try encode(
        normalized: text,
        0..<text.count,
        isAtOrigin: isStillAtOrigin,
        to: &output,
        workspace
      )
    }
  }

  private func encode(
    normalized text: UnsafeBufferPointer<UInt8>,
    _ range: Range<Int>,
    isAtOrigin: Bool,
    to output: inout TokenBuffer,
    _ workspace: Workspace
  ) throws(TokenizerError) {
    guard addedTokens.hasNormalized else {
      try splitter.encode(text, range, isAtOrigin: isAtOrigin, model, to: &output, workspace)
      return
    }
    for section in addedTokens.normalizedSections(text, range) {
      if let id = section.id {
        output.append(id)
      } else {
        try splitter.encode(
          text,
          section.start..<section.end,
          isAtOrigin: isAtOrigin && section.start == range.lowerBound,
          model,
          to: &output,
          workspace
        )
      }
    }
  }
}
