/// Puts special tokens around the tokens of a text: the section `post_processor`.
///
/// Only templates for a single text are applied; those for pairs, token types and offsets have
/// no effect on ids of one text and are checked but not kept.
struct PostProcessor: Sendable {
  /// A part of the result.
  enum Part: Sendable, Equatable {
    case text
    case tokens([Int32])
  }

  private static let depthLimit = 8

  /// What the result is made of, in order.
  var parts: [Part] = [.text]

  init() {}

  /// Creates a processor that puts tokens before and after a text.
  init(before: [Int32], after: [Int32]) {
    parts =
      (before.isEmpty ? [] : [.tokens(before)]) + [.text]
      + (after.isEmpty ? [] : [.tokens(after)])
  }

  init(_ json: JSONValue) throws(TokenizerError) {
    var hasTemplate = false
    try read(json, depth: 0, &hasTemplate)
  }

  /// The ids with the special tokens.
  func process(_ ids: [Int32], addSpecialTokens: Bool) -> [Int32] {
    if parts == [.text] { return ids }
    var result: [Int32] = []
    for part in parts {
      switch part {
      case .text: result += ids
      case .tokens(let tokens): if addSpecialTokens { result += tokens }
      }
    }
    return result
  }

  private mutating func read(
    _ json: JSONValue,
    depth: Int,
    _ hasTemplate: inout Bool
  ) throws(TokenizerError) {
    guard depth < Self.depthLimit else {
      throw json.failure(.unsupported, "post-processors are nested deeper than \(Self.depthLimit)")
    }
    let type = try json.required("type").string()
    switch type {
    case "Sequence":
      try json.allow(["type", "processors"])
      for element in try json.required("processors").elements() {
        try read(element, depth: depth + 1, &hasTemplate)
      }
      return
    case "ByteLevel":
      // Trims offsets, which this library does not report.
      try json.allow(["type", "add_prefix_space", "trim_offsets", "use_regex"])
      return
    case "TemplateProcessing", "BertProcessing", "RobertaProcessing": break
    default:
      throw try json.required("type").failure(
        .unsupported,
        "the post-processor '\(type)' is not supported",
        remedy: "use a tokenizer without it"
      )
    }
    guard !hasTemplate else {
      throw json.failure(
        .unsupported,
        "a second post-processor that adds tokens",
        remedy: "join both into one TemplateProcessing"
      )
    }
    hasTemplate = true
    parts = type == "TemplateProcessing" ? try Self.template(json) : try Self.classifier(json)
  }

  /// Reads the kinds that put one token before and one after the text.
  private static func classifier(_ json: JSONValue) throws(TokenizerError) -> [Part] {
    try json.allow(["type", "sep", "cls", "trim_offsets", "add_prefix_space"])
    var ids: [Int32] = []
    for key in ["cls", "sep"] {
      let pair = try json.required(key)
      let elements = try pair.elements()
      guard elements.count == 2 else {
        throw pair.failure(.wrongType, "expected a token and its id")
      }
      ids.append(Int32(try elements[1].integer()))
    }
    return [.tokens([ids[0]]), .text, .tokens([ids[1]])]
  }

  private static func template(_ json: JSONValue) throws(TokenizerError) -> [Part] {
    try json.allow(["type", "single", "pair", "special_tokens"])
    var tokens: [String: [Int32]] = [:]
    for (name, value) in try json.required("special_tokens").members() {
      try value.allow(["id", "ids", "tokens"])
      var ids: [Int32] = []
      for id in try value.required("ids").elements() { ids.append(Int32(try id.integer())) }
      tokens[name] = ids
    }
    var parts: [Part] = []
    for element in try json.required("single").elements() {
      try element.allow(["Sequence", "SpecialToken"])
      if let sequence = try element["Sequence"] {
        guard try sequence.required("id").string() == "A" else {
          throw sequence.failure(.invalidValue, "the template for one text uses a second one")
        }
        guard !parts.contains(.text) else {
          throw sequence.failure(
            .unsupported,
            "the template repeats the text",
            remedy: "use a template with one text"
          )
        }
        parts.append(.text)
      } else if let token = try element["SpecialToken"] {
        let name = try token.required("id").string()
        guard let ids = tokens[name] else {
          throw token.failure(.missingValue, "'\(name)' is not in 'special_tokens'")
        }
        parts.append(.tokens(ids))
      }
    }
    return parts
  }
}
