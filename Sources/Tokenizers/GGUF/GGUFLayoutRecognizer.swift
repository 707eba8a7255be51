/// Finds the name in `tokenizer.ggml.pre` that means what a tokenizer.json does.
struct GGUFLayoutRecognizer {
  private let json: JSONValue
  private let options: BytePairModel.Options
  private let source: String

  init(_ json: JSONValue, _ options: BytePairModel.Options, _ source: String) {
    self.json = json
    self.options = options
    self.source = source
  }

  func name() throws(TokenizerError) -> String {
    let normalizer = try json.optional("normalizer")?.canonicalText ?? "null"
    guard let section = try json.optional("pre_tokenizer") else {
      throw failure("the tokenizer has no pre-tokenizer")
    }
    let steps = try canonicalSteps(section)
    for layout in GGUFLayout.all {
      let text = "{\"n\":\(layout.normalizerJSON),\"p\":\(layout.preTokenizerJSON)}"
      let candidate = try JSONDocument(Array(text.utf8), source: source).root
      let candidateNormalizer = try candidate.required("n").canonicalText
      let candidateSteps = try canonicalSteps(candidate.required("p"))
      if candidateNormalizer == normalizer, candidateSteps == steps,
        layout.ignoresMerges == options.ignoresMerges
      {
        return layout.names[0]
      }
    }
    throw failure("no pre-tokenizer of GGUF does what the sections of this tokenizer do")
  }

  private func failure(_ problem: String) -> TokenizerError {
    TokenizerError(
      .notExportable,
      at: .init(source: source, path: "pre_tokenizer"),
      problem,
      remedy: "export in another format, or use a tokenizer GGUF can express"
    )
  }

  /// The steps of a pre-tokenizer, each in the one form that stands for all that mean the same.
  private func canonicalSteps(_ json: JSONValue) throws(TokenizerError) -> [String] {
    let type = try json.required("type").string()
    switch type {
    case "Sequence":
      var result: [String] = []
      for element in try json.required("pretokenizers").elements() {
        result += try canonicalSteps(element)
      }
      return result
    case "ByteLevel":
      // Trimming concerns offsets only.
      let prefixes = try json.required("add_prefix_space").bool()
      let splits = try json.optional("use_regex")?.bool() ?? true
      let mapping = "bytes" + (prefixes ? " after a space" : "")
      return splits && !prefixes
        ? ["split \(ByteLevel.pattern)", mapping]
        : [splits ? "split and \(mapping)" : mapping]
    case "Split":
      let pattern = try json.required("pattern")
      let behavior = try SplitBehavior(json.required("behavior"))
      let isInverted = try json.required("invert").bool()
      let coversEverything = behavior == .isolated || (behavior == .removed && isInverted)
      guard coversEverything, let expression = try pattern["Regex"] else {
        return [json.canonicalText]
      }
      return ["split \(try expression.string())"]
    default: return [json.canonicalText]
    }
  }
}

extension JSONValue {
  /// The value as text with sorted keys and without spaces, for comparison.
  var canonicalText: String {
    switch kind {
    case .null: return "null"
    case .true: return "true"
    case .false: return "false"
    case .number: return document.string(at: index)
    case .string: return jsonQuoted(document.string(at: index))
    case .array:
      let elements = (try? elements()) ?? []
      return "[" + elements.map(\.canonicalText).joined(separator: ",") + "]"
    case .object:
      let members = ((try? members()) ?? []).map {
        "\(jsonQuoted($0.key)):\($0.value.canonicalText)"
      }
      return "{" + members.sorted().joined(separator: ",") + "}"
    }
  }
}
