/// A value of a recipe before it is known what it means: text, a list, or keys with values.
public struct RecipeNode: Sendable {
  /// What a node holds.
  public indirect enum Content: Sendable {
    /// A single value. Quoted text is never a number, a truth value or nothing.
    case scalar(String, isQuoted: Bool)
    /// Values in order.
    case list([RecipeNode])
    /// Keys with values, in the order written.
    case map([Entry])
  }

  /// A key with its value.
  public struct Entry: Sendable {
    /// The key.
    public let key: String
    /// Where the key stands, or nil for a node that was not read from a text.
    public let position: SourcePosition?
    /// The value.
    public var value: RecipeNode

    /// Creates an entry.
    public init(_ key: String, _ value: RecipeNode, at position: SourcePosition? = nil) {
      self.key = key
      self.value = value
      self.position = position
    }
  }

  /// What the node holds.
  public var content: Content
  /// Where the node begins, or nil for a node that was not read from a text.
  public let position: SourcePosition?

  /// Creates a node.
  public init(_ content: Content, at position: SourcePosition? = nil) {
    self.content = content
    self.position = position
  }

  /// Creates a node of plain text, such as a number.
  public static func plain(_ text: String) -> RecipeNode {
    RecipeNode(.scalar(text, isQuoted: false))
  }

  /// Creates a node of text that is quoted when it would otherwise be read as something else.
  public static func text(_ text: String) -> RecipeNode {
    RecipeNode(.scalar(text, isQuoted: RecipePrinter.needsQuotes(text)))
  }

  /// What the node is called in messages, such as `a list`.
  public var kindName: String {
    switch content {
    case .scalar(_, isQuoted: true): "text"
    case .scalar(let text, isQuoted: false):
      if Int(text) != nil || Double(text) != nil {
        "a number"
      } else if text == "true" || text == "false" {
        "`true` or `false`"
      } else {
        isNothing ? "nothing" : "text"
      }
    case .list: "a list"
    case .map: "keys with values"
    }
  }

  /// The text of a single value, or nil.
  public var scalar: String? {
    guard case .scalar(let text, _) = content else { return nil }
    return text
  }

  /// Whether the node is empty or `null`.
  public var isNothing: Bool {
    guard case .scalar(let text, isQuoted: false) = content else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }
}

extension RecipeNode: Equatable {
  /// Whether two nodes hold the same, wherever they stand.
  public static func == (left: RecipeNode, right: RecipeNode) -> Bool {
    switch (left.content, right.content) {
    case (.scalar(let a, _), .scalar(let b, _)): a == b && left.isNothing == right.isNothing
    case (.list(let a), .list(let b)): a == b
    case (.map(let a), .map(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }
}
