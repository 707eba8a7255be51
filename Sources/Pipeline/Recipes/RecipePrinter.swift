/// Writes recipe nodes as YAML that reads back to equal nodes.
enum RecipePrinter {
  /// A node on one line, in YAML's flow style.
  static func inline(_ node: RecipeNode) -> String {
    switch node.content {
    case .scalar(let text, let isQuoted): isQuoted ? quoted(text) : text
    case .list(let nodes): "[\(nodes.map(inline).joined(separator: ", "))]"
    case .map(let entries):
      entries.isEmpty
        ? "{}" : "{ \(entries.map { "\(key($0)): \(inline($0.value))" }.joined(separator: ", ")) }"
    }
  }

  /// A node over several lines; groups without groups inside stay on one line if they fit.
  static func block(_ node: RecipeNode, indent: Int = 0) -> String {
    let margin = String(repeating: " ", count: indent)
    switch node.content {
    case .scalar:
      return margin + inline(node) + "\n"
    case .list(let nodes) where nodes.isEmpty:
      return margin + "[]\n"
    case .map(let entries) where entries.isEmpty:
      return margin + "{}\n"
    case .list(let nodes):
      return nodes.map { item in
        let text = block(item, indent: indent + 2)
        return margin + "- " + text.dropFirst(indent + 2)
      }.joined()
    case .map(let entries):
      return entries.map { entry in
        let line = "\(margin)\(key(entry)): \(inline(entry.value))"
        if isFlat(entry.value), line.count <= 100 { return line + "\n" }
        return "\(margin)\(key(entry)):\n" + block(entry.value, indent: indent + 2)
      }.joined()
    }
  }

  private static func key(_ entry: RecipeNode.Entry) -> String {
    needsQuotes(entry.key) ? quoted(entry.key) : entry.key
  }

  // Whether a node holds nothing deeper than a list of plain values.
  private static func isFlat(_ node: RecipeNode) -> Bool {
    switch node.content {
    case .scalar: true
    case .list(let nodes): nodes.allSatisfy { $0.scalar != nil }
    case .map(let entries):
      entries.isEmpty || entries.allSatisfy { $0.value.scalar != nil }
    }
  }

  /// Whether text must be quoted so that YAML reads it as text, in either style.
  static func needsQuotes(_ text: String) -> Bool {
    if text.isEmpty || Double(text) != nil { return true }
    if ["true", "false", "null", "yes", "no", "on", "off", "~"].contains(text.lowercased()) {
      return true
    }
    let isPlain = text.unicodeScalars.allSatisfy { scalar in
      scalar.properties.isAlphabetic || (0x30...0x39).contains(scalar.value)
        || "._-/+:*".unicodeScalars.contains(scalar)
    }
    // A colon is harmless inside a word (`2:4`), and `-`, `*` and `.` only after the first letter.
    let first = text.unicodeScalars.first?.properties
    let startsPlain = first.map { $0.isAlphabetic || $0.numericType != nil } ?? false
    return !isPlain || !(startsPlain || text.hasPrefix("/")) || text.hasSuffix(":")
  }

  /// Text in double quotes, with YAML's escapes.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20 || (0x7F...0xA0).contains(scalar.value):
        result += "\\x" + hexadecimal(scalar.value, digits: 2)
      case "\u{2028}", "\u{2029}", "\u{FEFF}":
        result += "\\u" + hexadecimal(scalar.value, digits: 4)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
