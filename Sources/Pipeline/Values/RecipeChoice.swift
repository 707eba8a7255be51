/// An option with a fixed list of values, written in a recipe by their raw values.
///
/// ```swift
/// enum Grid: String, RecipeChoice {
///   case symmetric, asymmetric
///   var summary: String { … }
/// }
/// ```
public protocol RecipeChoice: RecipeValue, CaseIterable, RawRepresentable<String> {
  /// What the choice means, in a few words without a full stop.
  var summary: String { get }
}

extension RecipeChoice {
  /// The allowed values, as in “`symmetric` or `asymmetric`”.
  public static var typeName: String {
    Wording.list(allCases.map { "`\($0.rawValue)`" }, "or")
  }

  /// Every case with its meaning.
  public static var choices: [(name: String, summary: String)] {
    allCases.map { ($0.rawValue, $0.summary) }
  }

  /// Reads a case by its raw value; another value is a problem with the nearest case.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> Self? {
    guard let text = node.scalar, !node.isNothing else { return reading.expected(typeName, node) }
    guard let value = Self(rawValue: text) else {
      let hint = Wording.didYouMean(text, allCases.map(\.rawValue))
      return reading.expected(typeName, node, hint: hint)
    }
    return value
  }

  /// The raw value.
  public var recipeNode: RecipeNode { .text(rawValue) }
}

extension RecipeReading {
  /// Notes that a node is not what its key asks for, with a hint after the sentence.
  mutating func expected<Value>(_ what: String, _ node: RecipeNode, hint: String) -> Value? {
    let key = path.last { Int($0) == nil } ?? "the recipe"
    problem("\(key) must be \(what), not \(node.shortDescription)\(hint)", at: node)
    return nil
  }
}
