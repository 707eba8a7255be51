/// Jinja's filters.
extension TemplateRenderer {
  func filter(
    _ name: String,
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    switch name {
    case "trim":
      let characters = try bind(arguments, ["chars"], name, at: place)[0]
      return try strip(text(of: value, at: place), characters, left: true, right: true, at: place)
    case "string": return try string(text(of: value, at: place), at: place)
    case "upper": return .string(try text(of: value, at: place).uppercased())
    case "lower": return .string(try text(of: value, at: place).pythonLowercased)
    case "capitalize": return .string(try text(of: value, at: place).pythonCapitalized)
    case "title": return .string(Self.titled(try text(of: value, at: place)))
    case "replace":
      let values = try bind(arguments, ["old", "new", "count"], name, at: place)
      return try replace(text(of: value, at: place), values, at: place)
    case "indent": return try indent(value, arguments, at: place)
    case "tojson": return try string(toJSON(value, arguments, at: place), at: place)
    case "default", "d":
      let values = try bind(arguments, ["default_value", "boolean"], name, at: place)
      var isAbsent = values[1]?.isTrue == true && !value.isTrue
      if case .undefined = value { isAbsent = true }
      return isAbsent ? values[0] ?? .string("") : value
    case "int": return try whole(value, arguments, at: place)
    case "float": return try real(value, arguments, at: place)
    case "abs":
      if let whole = value.wholeNumber, whole != .min { return .integer(abs(whole)) }
      if case .number(let number) = value { return .number(abs(number)) }
      throw failure("'abs' takes a number, not \(value.typeName)", at: place)
    case "length", "count": return .integer(try length(of: value, at: place))
    default: return try filterElements(name, value, arguments, at: place)
    }
  }

  func length(of value: RuntimeValue, at place: TemplatePlace) throws(TokenizerError) -> Int {
    switch value {
    case .undefined: return 0
    case .string(let text):
      try charge(text.utf8.count / 16, at: place)
      return text.unicodeScalars.count
    case .list(let items), .tuple(let items): return items.elements.count
    case .dictionary(let entries): return entries.table.keys.count
    case .loop(let state): return state.elements.count
    default: throw failure("\(value.typeName) has no length", at: place)
    }
  }

  // MARK: Texts

  /// Makes the first character after a space, hyphen or opening bracket upper case.
  private static func titled(_ text: String) -> String {
    var result = ""
    var part = String.UnicodeScalarView()
    func isSeparator(_ scalar: Unicode.Scalar) -> Bool {
      scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar)
    }
    func finish() {
      guard let first = part.first else { return }
      result += first.properties.uppercaseMapping + String(part.dropFirst()).pythonLowercased
      part = .init()
    }
    for scalar in text.unicodeScalars {
      if let last = part.last, isSeparator(last) != isSeparator(scalar) { finish() }
      part.append(scalar)
    }
    finish()
    return result
  }

  private func indent(
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let values = try bind(arguments, ["width", "first", "blank"], "indent", at: place)
    let indentation: String
    if case .string(let text)? = values[0] {
      indentation = text
    } else {
      guard let width = values[0] == nil ? 4 : values[0]?.wholeNumber, width <= 1000 else {
        throw failure("the width is a whole number up to 1000 or a string", at: place)
      }
      indentation = String(repeating: " ", count: max(0, width))
    }
    let isBlankIndented = values[2]?.isTrue == true
    let lines = Self.lines(try text(of: value, at: place) + "\n")
    var parts: [String] = []
    for (index, line) in lines.enumerated() {
      let isIndented = index > 0 && (isBlankIndented || !line.isEmpty)
      parts.append(isIndented ? indentation + line : line)
    }
    if values[1]?.isTrue == true, let first = parts.first { parts[0] = indentation + first }
    return try joined(parts, by: "\n", at: place)
  }

  private func toJSON(
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> String {
    let values = try bind(
      arguments,
      ["ensure_ascii", "indent", "separators", "sort_keys"],
      "tojson",
      at: place
    )
    var style = JSONStyle()
    style.escapesNonASCII = values[0]?.isTrue ?? false
    switch values[1] {
    case nil, .some(.none): break
    case .string(let text)?: style.indentation = text
    case let width?:
      guard let width = width.wholeNumber, width <= 1000 else {
        throw failure("the indentation is a whole number up to 1000 or a string", at: place)
      }
      style.indentation = String(repeating: " ", count: max(0, width))
    }
    if style.indentation != nil { style.itemSeparator = "," }
    switch values[2] {
    case nil, .some(.none): break
    case let separators?:
      let pair = try elements(of: separators, at: place)
      guard pair.count == 2, case .string(let item) = pair[0], case .string(let key) = pair[1]
      else {
        throw failure("the separators are two strings", at: place)
      }
      style.itemSeparator = item
      style.keySeparator = key
    }
    style.sortsKeys = values[3]?.isTrue ?? false
    return try json(value, style, at: place)
  }

  // MARK: Numbers

  private func whole(
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let values = try bind(arguments, ["default", "base"], "int", at: place)
    if let base = values[1]?.wholeNumber, base != 10 {
      throw unsupported("'int' in the base \(base)", at: place)
    }
    if let whole = value.wholeNumber { return .integer(whole) }
    var number = value.realNumber
    if case .string(let text) = value {
      let digits = Self.trimmed(text).replacing("_", with: "")
      if let whole = Int(digits) { return .integer(whole) }
      number = Double(digits)
    }
    guard let number, number.isFinite else { return values[0] ?? .integer(0) }
    guard let whole = Int(exactly: number.rounded(.towardZero)) else {
      throw failure("the number does not fit 64 bits", at: place)
    }
    return .integer(whole)
  }

  private func real(
    _ value: RuntimeValue,
    _ arguments: CallArguments,
    at place: TemplatePlace
  ) throws(TokenizerError) -> RuntimeValue {
    let values = try bind(arguments, ["default"], "float", at: place)
    if let number = value.realNumber { return .number(number) }
    if case .string(let text) = value, let number = Double(Self.trimmed(text)) {
      return .number(number)
    }
    return values[0] ?? .number(0)
  }

  private static func trimmed(_ text: String) -> String {
    var scalars = text.unicodeScalars[...].drop { $0.isPythonSpace }
    while let last = scalars.last, last.isPythonSpace { scalars.removeLast() }
    return String(scalars)
  }
}
