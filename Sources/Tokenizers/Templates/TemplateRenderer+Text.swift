/// Values as text: Python's `str` and `repr`, and JSON.
extension TemplateRenderer {
  /// What printing a value writes.
  func text(of value: RuntimeValue, at place: TemplatePlace) throws(TokenizerError) -> String {
    switch value {
    case .undefined: return ""
    case .string(let text): return text
    default:
      var result = ""
      try describe(value, to: &result, at: place)
      return result
    }
  }

  /// Appends a value as Python's `repr` writes it.
  private func describe(
    _ value: RuntimeValue,
    to result: inout String,
    at place: TemplatePlace
  ) throws(TokenizerError) {
    try charge(1, at: place)
    switch value {
    case .undefined: result += "Undefined"
    case .none: result += "None"
    case .boolean(let value): result += value ? "True" : "False"
    case .integer(let value): result += String(value)
    case .number(let value): result += value.pythonText
    case .string(let text):
      try charge(text.utf8.count / 16, at: place)
      result += Self.quoted(text)
    case .list(let items), .tuple(let items):
      var isTuple = false
      if case .tuple = value { isTuple = true }
      result += isTuple ? "(" : "["
      for (index, element) in items.elements.enumerated() {
        if index > 0 { result += ", " }
        try describe(element, to: &result, at: place)
      }
      result += isTuple ? (items.elements.count == 1 ? ",)" : ")") : "]"
    case .dictionary(let entries):
      result += "{"
      for (index, key) in entries.table.keys.enumerated() {
        if index > 0 { result += ", " }
        result += Self.quoted(key) + ": "
        try describe(entries.table.values[index], to: &result, at: place)
      }
      result += "}"
    default: throw unsupported("printing \(value.typeName)", at: place)
    }
    _ = try string(result.utf8.count > Self.textLimit ? result : "", at: place)
  }

  private static func quoted(_ text: String) -> String {
    let scalars = text.unicodeScalars
    let quote: Unicode.Scalar = scalars.contains("'") && !scalars.contains("\"") ? "\"" : "'"
    var result = String.UnicodeScalarView([quote])
    for scalar in scalars {
      switch scalar {
      case "\n": result.append(contentsOf: "\\n".unicodeScalars)
      case "\r": result.append(contentsOf: "\\r".unicodeScalars)
      case "\t": result.append(contentsOf: "\\t".unicodeScalars)
      case "\\", quote:
        result.append("\\")
        result.append(scalar)
      default:
        if scalar.isPythonPrintable {
          result.append(scalar)
        } else {
          let (letter, width) =
            scalar.value < 0x100 ? ("x", 2) : scalar.value < 0x10000 ? ("u", 4) : ("U", 8)
          let digits = hexadecimal(scalar.value, width: width)
          result.append(contentsOf: "\\\(letter)\(digits)".unicodeScalars)
        }
      }
    }
    result.append(quote)
    return String(result)
  }

  // MARK: JSON

  /// How `json.dumps` lays a value out.
  struct JSONStyle {
    var escapesNonASCII = false
    /// What each level is indented by; nil for one line.
    var indentation: String?
    var itemSeparator = ", "
    var keySeparator = ": "
    var sortsKeys = false
  }

  /// A value as Python's `json.dumps` writes it.
  func json(
    _ value: RuntimeValue,
    _ style: JSONStyle,
    at place: TemplatePlace
  ) throws(TokenizerError) -> String {
    var result = ""
    try writeJSON(value, style, level: 0, to: &result, at: place)
    return result
  }

  private func writeJSON(
    _ value: RuntimeValue,
    _ style: JSONStyle,
    level: Int,
    to result: inout String,
    at place: TemplatePlace
  ) throws(TokenizerError) {
    try charge(1, at: place)
    switch value {
    case .none: result += "null"
    case .boolean(let value): result += value ? "true" : "false"
    case .integer(let value): result += String(value)
    case .number(let value):
      result +=
        value.isNaN
        ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : value.pythonText
    case .string(let text):
      try charge(text.utf8.count / 16, at: place)
      Self.writeJSON(text, escapesNonASCII: style.escapesNonASCII, to: &result)
    case .list(let items), .tuple(let items):
      result += "["
      for (index, element) in items.elements.enumerated() {
        if index > 0 { result += style.itemSeparator }
        Self.writeLineBreak(style, level + 1, to: &result)
        try writeJSON(element, style, level: level + 1, to: &result, at: place)
      }
      if !items.elements.isEmpty { Self.writeLineBreak(style, level, to: &result) }
      result += "]"
    case .dictionary(let entries):
      result += "{"
      var pairs = Array(zip(entries.table.keys, entries.table.values))
      if style.sortsKeys { pairs.sort { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) } }
      for (index, pair) in pairs.enumerated() {
        if index > 0 { result += style.itemSeparator }
        Self.writeLineBreak(style, level + 1, to: &result)
        Self.writeJSON(pair.0, escapesNonASCII: style.escapesNonASCII, to: &result)
        result += style.keySeparator
        try writeJSON(pair.1, style, level: level + 1, to: &result, at: place)
      }
      if !pairs.isEmpty { Self.writeLineBreak(style, level, to: &result) }
      result += "}"
    default: throw failure("\(value.typeName) cannot be written as JSON", at: place)
    }
    _ = try string(result.utf8.count > Self.textLimit ? result : "", at: place)
  }

  private static func writeLineBreak(_ style: JSONStyle, _ level: Int, to result: inout String) {
    guard let indentation = style.indentation else { return }
    result += "\n" + String(repeating: indentation, count: level)
  }

  private static func writeJSON(
    _ text: String,
    escapesNonASCII: Bool,
    to result: inout String
  ) {
    var view = String.UnicodeScalarView(["\""])
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\":
        view.append("\\")
        view.append(scalar)
      case "\n": view.append(contentsOf: "\\n".unicodeScalars)
      case "\r": view.append(contentsOf: "\\r".unicodeScalars)
      case "\t": view.append(contentsOf: "\\t".unicodeScalars)
      case "\u{8}": view.append(contentsOf: "\\b".unicodeScalars)
      case "\u{C}": view.append(contentsOf: "\\f".unicodeScalars)
      default:
        if scalar.value < 0x20 || (escapesNonASCII && scalar.value > 0x7E) {
          for unit in UTF16.encode(scalar) ?? .init() {
            let digits = hexadecimal(UInt32(unit), width: 4)
            view.append(contentsOf: "\\u\(digits)".unicodeScalars)
          }
        } else {
          view.append(scalar)
        }
      }
    }
    view.append("\"")
    result += String(view)
  }

  private static func hexadecimal(_ value: UInt32, width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension Unicode.Scalar {
  /// Whether Python's `repr` writes the character as it is.
  fileprivate var isPythonPrintable: Bool {
    switch properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      false
    case .spaceSeparator: self == " "
    default: true
    }
  }
}
