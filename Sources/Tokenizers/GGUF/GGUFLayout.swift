/// How a vocabulary of a GGUF file splits text: the sections of a tokenizer.json that a name in
/// `tokenizer.ggml.pre` stands for.
///
/// The sections are those the models were published with. Where that differs from what
/// llama.cpp does with the name, the published layout counts, since the model was trained on it.
struct GGUFLayout: Sendable {
  /// A step of the pre-tokenizer.
  enum Step: Sendable {
    /// `Split` with the pattern, each match and each gap a piece.
    case split(String)
    /// `Digits` with each digit a piece.
    case digits
    /// `Punctuation` with runs as pieces.
    case punctuationRuns
    /// `ByteLevel`, with GPT-2's pattern or without splitting.
    case byteLevel(usesPattern: Bool)
  }

  /// The names that mean this layout; the first is the one written.
  var names: [String]
  /// Whether text is brought into the form NFC first.
  var normalizes = false
  var steps: [Step]
  /// Whether a piece that is a token is that token, merges or not.
  var ignoresMerges = false
  /// Whether the token that starts a text is added unless the file says otherwise.
  var addsBeginningOfText = false

  /// The section `normalizer`.
  var normalizerJSON: String { normalizes ? "{\"type\":\"NFC\"}" : "null" }

  /// The section `pre_tokenizer`.
  var preTokenizerJSON: String {
    let parts = steps.map { step in
      switch step {
      case .split(let pattern):
        "{\"type\":\"Split\",\"pattern\":{\"Regex\":\(jsonQuoted(pattern))},"
          + "\"behavior\":\"Isolated\",\"invert\":false}"
      case .digits: "{\"type\":\"Digits\",\"individual_digits\":true}"
      case .punctuationRuns: "{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}"
      case .byteLevel(let usesPattern):
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
          + "\"use_regex\":\(usesPattern)}"
      }
    }
    if parts.count == 1 { return parts[0] }
    return "{\"type\":\"Sequence\",\"pretokenizers\":[\(parts.joined(separator: ","))]}"
  }
}

/// A text as a JSON string, quotes included.
func jsonQuoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case "\u{0}"..<" ":
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
