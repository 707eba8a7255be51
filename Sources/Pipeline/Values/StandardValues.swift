import Foundation

extension Int: RecipeValue {
  /// “a whole number”.
  public static var typeName: String { "a whole number" }

  /// Reads a decimal whole number; `_` may separate digits.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> Int? {
    guard case .scalar(let text, isQuoted: false) = node.content,
      let value = Int(text.filter { $0 != "_" })
    else { return reading.expected(typeName, node) }
    return value
  }

  /// The number in decimal.
  public var recipeNode: RecipeNode { .plain(String(self)) }
}

extension UInt64: RecipeValue {
  /// “a whole number from 0”.
  public static var typeName: String { "a whole number from 0" }

  /// Reads a decimal whole number from 0.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> UInt64? {
    guard case .scalar(let text, isQuoted: false) = node.content,
      let value = UInt64(text.filter { $0 != "_" })
    else { return reading.expected(typeName, node) }
    return value
  }

  /// The number in decimal.
  public var recipeNode: RecipeNode { .plain(String(self)) }
}

extension Double: RecipeValue {
  /// “a number”.
  public static var typeName: String { "a number" }

  /// Reads a finite decimal number, such as `0.5`, `1e-4` or `3`.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> Double? {
    guard case .scalar(let text, isQuoted: false) = node.content,
      text.allSatisfy({ $0.isASCII && ($0.isNumber || "+-._eE".contains($0)) }),
      let value = Double(text.filter { $0 != "_" }), value.isFinite
    else { return reading.expected(typeName, node) }
    return value
  }

  /// The shortest text that reads back to the number.
  public var recipeNode: RecipeNode { .plain(Wording.exact(self)) }
}

extension Bool: RecipeValue {
  /// “`true` or `false`”.
  public static var typeName: String { "`true` or `false`" }

  /// Reads `true` or `false`; YAML 1.1's `yes` and `on` are refused, as they surprise.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> Bool? {
    guard case .scalar(let text, isQuoted: false) = node.content, let value = Bool(text) else {
      return reading.expected(typeName, node)
    }
    return value
  }

  /// `true` or `false`.
  public var recipeNode: RecipeNode { .plain(self ? "true" : "false") }
}

extension String: RecipeValue {
  /// “text”.
  public static var typeName: String { "text" }

  /// Reads text, quoted or not; a number is taken as written.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> String? {
    guard let text = node.scalar, !node.isNothing else { return reading.expected(typeName, node) }
    return text
  }

  /// The text, quoted where needed.
  public var recipeNode: RecipeNode { .text(self) }
}

extension Optional: RecipeValue where Wrapped: RecipeValue {
  /// The wrapped type's name.
  public static var typeName: String { "\(Wrapped.typeName), or `null`" }

  /// The wrapped type's choices.
  public static var choices: [(name: String, summary: String)] { Wrapped.choices }

  /// Reads `null` as nil and anything else as the wrapped type.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> Wrapped?? {
    if node.isNothing { return .some(nil) }
    return Wrapped.read(node, &reading).map { .some($0) }
  }

  /// The wrapped value's node, or `null`.
  public var recipeNode: RecipeNode { self?.recipeNode ?? .plain("null") }
}

extension Array: RecipeValue where Element: RecipeValue {
  /// “a list”, of what is said by the element's name.
  public static var typeName: String { "a list, each \(Element.typeName)" }

  /// The element's choices.
  public static var choices: [(name: String, summary: String)] { Element.choices }

  /// Reads a list; a single value is a list of one.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> [Element]? {
    guard case .list(let nodes) = node.content else {
      if node.isNothing { return reading.expected(typeName, node) }
      return reading.read(Element.self, node, under: "0").map { [$0] }
    }
    let elements = nodes.enumerated().map { index, element in
      reading.read(Element.self, element, under: String(index))
    }
    // Every element is read before giving up, so that each bad one is reported.
    return elements.allSatisfy { $0 != nil } ? elements.compactMap { $0 } : nil
  }

  /// The elements' nodes.
  public var recipeNode: RecipeNode { RecipeNode(.list(map(\.recipeNode))) }
}
