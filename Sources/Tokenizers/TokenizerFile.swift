internal import Foundation

/// Reads the sections of a tokenizer.json.
enum TokenizerFile {
  /// Longer added tokens would make the search for them slow.
  private static let addedTokenLimit = 4096

  static func read(
    _ data: Data,
    source: String,
    usesScanners: Bool = true
  ) throws(TokenizerError) -> Tokenizer.Parts {
    let json = try JSONDocument(Array(data), source: source).root
    try json.allow([
      "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
      "post_processor", "decoder", "model",
    ])
    if let version = try json.optional("version"), try version.string() != "1.0" {
      throw version.failure(
        .unsupported,
        "the version '\(try version.string())' is not supported",
        remedy: "use a file of version 1.0"
      )
    }
    for key in ["truncation", "padding"] {
      _ = try json.optional(key)?.members()
    }
    let model = try TokenModel(json.required("model"))
    var normalizer: (any Normalizer)?
    if let section = try json.optional("normalizer") {
      normalizer = try NormalizerReader.read(section)
    }
    var preTokenizers: [any PreTokenizer] = []
    if let section = try json.optional("pre_tokenizer") {
      preTokenizers = try PreTokenizerReader.read(section)
    }
    var postProcessor = PostProcessor()
    if let section = try json.optional("post_processor") {
      postProcessor = try PostProcessor(section)
    }
    var decoders: [any Decoder]?
    if let section = try json.optional("decoder") {
      decoders = try DecoderReader.read(section)
    }
    var addedTokens = AddedTokens()
    if let section = try json.optional("added_tokens") {
      addedTokens = try readAddedTokens(section, model.tokens, normalizer)
    }
    return Tokenizer.Parts(
      source: source,
      origin: .json(data),
      addedTokens: addedTokens,
      normalizer: normalizer,
      preTokenizers: preTokenizers,
      model: model,
      postProcessor: postProcessor,
      decoders: decoders,
      usesScanners: usesScanners
    )
  }

  private static func readAddedTokens(
    _ json: JSONValue,
    _ tokens: TokenTable,
    _ normalizer: (any Normalizer)?
  ) throws(TokenizerError) -> AddedTokens {
    var result = AddedTokens()
    var contents: [[UInt8]: Int32] = [:]
    // A token that is not in the vocabulary gets the next id after it.
    var next = tokens.count
    for element in try json.elements() {
      try element.allow([
        "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special",
      ])
      let content = try element.required("content").bytes()
      let id = try element.required("id").integer()
      guard !content.isEmpty, content.count <= addedTokenLimit else {
        throw try element.required("content").failure(
          .invalidValue,
          "an added token has from 1 to \(addedTokenLimit) bytes"
        )
      }
      let expected = tokens.id(content) ?? contents[content]
      guard id == expected.map(Int.init) ?? next else {
        throw try element.required("id").failure(
          .inconsistentVocabulary,
          "the token '\(String(decoding: content, as: UTF8.self))' has the id \(id) here and"
            + " \(expected.map(Int.init) ?? next) by the vocabulary"
        )
      }
      if expected == nil { next += 1 }
      guard contents.updateValue(Int32(id), forKey: content) == nil else {
        throw try element.required("content").failure(
          .inconsistentVocabulary,
          "the added token occurs twice"
        )
      }
      let token = AddedTokens.Token(
        id: Int32(id),
        content: content,
        isSingleWord: try element.required("single_word").bool(),
        stripsLeft: try element.required("lstrip").bool(),
        stripsRight: try element.required("rstrip").bool(),
        isNormalized: try element.required("normalized").bool(),
        isSpecial: try element.required("special").bool()
      )
      var form: [UInt8]?
      if token.isNormalized, let normalizer {
        var text = NormalizedText(bytes: content, startsAtOrigin: true)
        try normalizer.normalize(&text)
        form = text.bytes
      }
      result.insert(token, normalizedForm: form)
    }
    return result
  }
}
