/// Replaces spaces by a visible character and splits before each.
struct Metaspace: PreTokenizer {
  /// Where the replacement is put before a piece that does not start with it.
  enum PrependScheme: String, Sendable {
    /// Before every piece.
    case always
    /// Before the piece the input starts with.
    case first
    /// Nowhere.
    case never
  }

  let replacement: Unicode.Scalar
  let prependScheme: PrependScheme
  let splits: Bool

  init(_ json: JSONValue) throws(TokenizerError) {
    try json.allow(
      ["type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"])
    replacement = try json.required("replacement").scalar()
    var scheme = PrependScheme.always
    if let value = try json.optional("prepend_scheme") {
      guard let read = PrependScheme(rawValue: try value.string()) else {
        throw value.failure(
          .unsupported,
          "the scheme '\(try value.string())' is not supported",
          remedy: "use always, first or never"
        )
      }
      scheme = read
    }
    // The option's older name; false contradicts any scheme but `never`.
    if let value = try json.optional("add_prefix_space"), try !value.bool(), scheme != .never {
      throw value.failure(.invalidValue, "'add_prefix_space' contradicts 'prepend_scheme'")
    }
    prependScheme = scheme
    splits = try json.optional("split")?.bool() ?? true
  }

  init(replacement: Unicode.Scalar, prependScheme: PrependScheme, splits: Bool) {
    self.replacement = replacement
    self.prependScheme = prependScheme
    self.splits = splits
  }

  func apply(_ pieces: inout PieceList) throws(TokenizerError) {
    let mark = Array(String(Character(replacement)).utf8)
    pieces.rewrite { piece, origin, result in
      let startsWithMark = piece.first == 0x20 || piece.starts(with: mark)
      if !startsWithMark && !piece.isEmpty {
        switch prependScheme {
        case .always: result.append(contentsOf: mark)
        case .first where origin.isAtOrigin: result.append(contentsOf: mark)
        default: break
        }
      }
      for byte in piece {
        if byte == 0x20 { result.append(contentsOf: mark) } else { result.append(byte) }
      }
    }
    guard splits else { return }
    try pieces.split(.mergedWithNext) { text, range, found throws(TokenizerError) in
      try TextPattern.literal(mark).forEachMatch(in: text, range, found)
    }
  }
}
