/// Python's methods of strings.
extension TemplateRenderer {
  /// The byte ranges at which `part` occurs in `text` without overlap, up to `limit` of them.
  ///
  /// - Precondition: `part` is not empty.
  func ranges(
    of part: String,
    in text: String,
    limit: Int = .max,
    at place: TemplatePlace
  ) throws(TokenizerError) -> [Range<Int>] {
    let (text, part) = (Array(text.utf8), Array(part.utf8))
    guard let first = part.first, part.count <= text.count else { return [] }
    // The worst case of the plain search below.
    try charge(text.count * part.count / 16, at: place)
    var result: [Range<Int>] = []
    var position = 0
    while position + part.count <= text.count, result.count < limit {
      let range = position..<(position + part.count)
      if text[position] == first, text[range].elementsEqual(part) {
        result.append(range)
        position = range.upperBound
      } else {
        position += 1
      }
    }
    return result
  }

  func stringMethod(
    _ method: String,
    _ text: String,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    try charge(text.utf8.count / 16, at: place)
    switch method {
    case "startswith", "endswith": return try affix(method, text, arguments, at: place)
    case "strip", "lstrip", "rstrip":
      let value = try bind(arguments, ["chars"], method, at: place)[0]
      return try strip(text, value, left: method != "rstrip", right: method != "lstrip", at: place)
    case "split", "rsplit": return try split(method, text, arguments, at: place)
    case "splitlines": return try list(Self.lines(text).map { .string($0) }, at: place)
    case "upper": return .string(text.uppercased())
    case "lower": return .string(text.pythonLowercased)
    case "capitalize": return .string(text.pythonCapitalized)
    case "title": return .string(text.pythonTitled)
    case "replace":
      let values = try bind(arguments, ["old", "new", "count"], method, at: place)
      return try replace(text, values, at: place)
    case "join":
      guard let parts = try bind(arguments, ["iterable"], method, at: place)[0] else { break }
      var strings: [String] = []
      for part in try elements(of: parts, at: place) {
        guard case .string(let part) = part else {
          throw failure("'join' joins strings, not \(part.typeName)", at: place)
        }
        strings.append(part)
      }
      return try joined(strings, by: text, at: place)
    case "removeprefix", "removesuffix":
      guard case .string(let affix)? = try bind(arguments, ["affix"], method, at: place)[0] else {
        break
      }
      let bytes = Array(text.utf8)
      let isPrefix = method == "removeprefix"
      let rest =
        isPrefix ? bytes.dropFirst(affix.utf8.count) : bytes.dropLast(affix.utf8.count)
      let removed = isPrefix ? bytes.prefix(affix.utf8.count) : bytes.suffix(affix.utf8.count)
      return .string(
        removed.elementsEqual(affix.utf8) ? String(decoding: rest, as: UTF8.self) : text
      )
    case "find", "rfind", "count":
      guard case .string(let part)? = try bind(arguments, ["sub"], method, at: place)[0],
        !part.isEmpty
      else { break }
      let found = try ranges(of: part, in: text, limit: method == "find" ? 1 : .max, at: place)
      if method == "count" { return .integer(found.count) }
      guard let range = method == "find" ? found.first : found.last else { return .integer(-1) }
      return .integer(text.utf8.prefix(range.lowerBound).count { $0 & 0xC0 != 0x80 })
    case "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower":
      _ = try bind(arguments, [], method, at: place)
      return .boolean(text.isPython(method))
    default:
      guard Self.methods(of: .string(text)).contains(method) else {
        throw failure("a string has no method '\(method)'", at: place)
      }
    }
    throw unsupported("the method '\(method)' of a string with these arguments", at: place)
  }

  private func affix(
    _ method: String,
    _ text: String,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    guard let value = try bind(arguments, ["affix"], method, at: place)[0] else {
      throw failure("'\(method)' needs an argument", at: place)
    }
    var candidates = [value]
    if case .tuple(let items) = value { candidates = items.elements }
    for candidate in candidates {
      guard case .string(let affix) = candidate else {
        throw failure("'\(method)' takes strings, not \(candidate.typeName)", at: place)
      }
      let part =
        method == "startswith"
        ? Array(text.utf8.prefix(affix.utf8.count)) : Array(text.utf8.suffix(affix.utf8.count))
      if part.elementsEqual(affix.utf8) { return .boolean(true) }
    }
    return .boolean(false)
  }

  func strip(
    _ text: String,
    _ characters: RuntimeValue?,
    left: Bool,
    right: Bool,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    var isStripped: (Unicode.Scalar) -> Bool = { $0.isPythonSpace }
    switch characters {
    case nil, .some(.none): break
    case .string(let characters)?:
      let set = Set(characters.unicodeScalars)
      isStripped = { set.contains($0) }
    case let other?: throw failure("characters are a string, not \(other.typeName)", at: place)
    }
    var scalars = text.unicodeScalars[...]
    if left { scalars = scalars.drop(while: isStripped) }
    if right { while let last = scalars.last, isStripped(last) { scalars.removeLast() } }
    return .string(String(scalars))
  }

  private func split(
    _ method: String,
    _ text: String,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let values = try bind(arguments, ["sep", "maxsplit"], method, at: place)
    let limit = values[1]?.wholeNumber ?? -1
    let isFromRight = method == "rsplit" && limit >= 0
    guard case .string(let separator)? = values[0] else {
      guard !isFromRight, limit < 0 else {
        throw unsupported("'\(method)' at whitespace with a limit", at: place)
      }
      let parts = text.unicodeScalars.split { $0.isPythonSpace }
      return try list(parts.map { .string(String($0)) }, at: place)
    }
    guard !separator.isEmpty else { throw failure("the separator is empty", at: place) }
    if isFromRight, separator.unicodeScalars.count > 1 {
      // From the right, other occurrences may be found than from the left.
      throw unsupported("'rsplit' at a longer separator with a limit", at: place)
    }
    var found = try ranges(of: separator, in: text, at: place)
    if limit >= 0 { found = isFromRight ? found.suffix(limit) : Array(found.prefix(limit)) }
    let bytes = Array(text.utf8)
    var parts: [RuntimeValue] = []
    var start = 0
    for range in found {
      parts.append(.string(String(decoding: bytes[start..<range.lowerBound], as: UTF8.self)))
      start = range.upperBound
    }
    parts.append(.string(String(decoding: bytes[start...], as: UTF8.self)))
    return try list(parts, at: place)
  }

  /// Replaces the string `values[0]` by `values[1]`, at most `values[2]` times if that is given.
  func replace(
    _ text: String,
    _ values: [RuntimeValue?],
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    guard case .string(let old)? = values[0], case .string(let new)? = values[1] else {
      throw failure("'replace' takes two strings", at: place)
    }
    guard !old.isEmpty else { throw unsupported("'replace' of nothing", at: place) }
    var limit = values[2]?.wholeNumber ?? -1
    if limit < 0 { limit = .max }
    let found = try ranges(of: old, in: text, limit: limit, at: place)
    guard found.count * new.utf8.count + text.utf8.count <= 2 * Self.textLimit else {
      throw failure("'replace' makes too long a text", at: place)
    }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var start = 0
    for range in found {
      result += bytes[start..<range.lowerBound]
      result += new.utf8
      start = range.upperBound
    }
    result += bytes[start...]
    return try string(String(decoding: result, as: UTF8.self), at: place)
  }

  func joined(
    _ parts: [String],
    by separator: String,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let count = parts.reduce(parts.count * separator.utf8.count) { $0 + $1.utf8.count }
    guard count <= 2 * Self.textLimit else {
      throw failure("'join' makes too long a text", at: place)
    }
    return try string(parts.joined(separator: separator), at: place)
  }

  /// The lines of a text, cut wherever Python sees the end of one.
  static func lines(_ text: String) -> [String] {
    var result: [String] = []
    var line = String.UnicodeScalarView()
    var previous: Unicode.Scalar?
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n" where previous == "\r": break
      case "\n", "\r", "\u{B}", "\u{C}", "\u{1C}", "\u{1D}", "\u{1E}", "\u{85}", "\u{2028}",
        "\u{2029}":
        result.append(String(line))
        line = .init()
      default: line.append(scalar)
      }
      previous = scalar
    }
    if !line.isEmpty { result.append(String(line)) }
    return result
  }
}

extension String {
  /// Lower case, with the form of sigma that ends a word where Python writes it.
  var pythonLowercased: String {
    guard unicodeScalars.contains("Σ") else { return lowercased() }
    let scalars = Array(unicodeScalars)
    var result = ""
    for (index, scalar) in scalars.enumerated() {
      guard scalar == "Σ" else {
        result += scalar.properties.lowercaseMapping
        continue
      }
      let before = scalars[..<index].last { !$0.properties.isCaseIgnorable }
      let after = scalars[(index + 1)...].first { !$0.properties.isCaseIgnorable }
      let endsWord = before?.properties.isCased == true && after?.properties.isCased != true
      result += endsWord ? "ς" : "σ"
    }
    return result
  }

  /// The first character in title case, the others in lower case.
  var pythonCapitalized: String {
    guard let first = unicodeScalars.first else { return "" }
    let lowered = pythonLowercased.unicodeScalars
    let rest = lowered.dropFirst(first.properties.lowercaseMapping.unicodeScalars.count)
    return first.properties.titlecaseMapping + String(rest)
  }

  /// Each run of letters in title case.
  var pythonTitled: String {
    var result = ""
    var isInside = false
    for scalar in unicodeScalars {
      result += isInside ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
      isInside = scalar.properties.isCased
    }
    return result
  }

  /// What Python's test of the characters of a string says, such as `isdigit`.
  fileprivate func isPython(_ test: String) -> Bool {
    let scalars = unicodeScalars
    switch test {
    case "isdigit":
      return !isEmpty
        && scalars.allSatisfy { [.decimal, .digit].contains($0.properties.numericType) }
    case "isalpha": return !isEmpty && scalars.allSatisfy(\.isPythonLetter)
    case "isalnum":
      return !isEmpty
        && scalars.allSatisfy { $0.isPythonLetter || $0.properties.numericType != nil }
    case "isspace": return !isEmpty && scalars.allSatisfy(\.isPythonSpace)
    case "isupper": return hasOnly { $0.isUppercase }
    default: return hasOnly { $0.isLowercase }
    }
  }

  /// Whether there are letters that have case, and all of them are of one.
  private func hasOnly(_ isOfCase: (Unicode.Scalar.Properties) -> Bool) -> Bool {
    let cased = unicodeScalars.filter { $0.properties.isCased }
    return !cased.isEmpty && cased.allSatisfy { isOfCase($0.properties) }
  }
}

extension Unicode.Scalar {
  fileprivate var isPythonLetter: Bool {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
    default: false
    }
  }
}
