/// What is documented about an option.
public struct FieldReference: Sendable {
  /// An allowed value with its meaning.
  public struct Choice: Sendable, Hashable {
    /// The value as written in a recipe.
    public let name: String
    /// What it means.
    public let summary: String
  }

  /// The key in a recipe.
  public let key: String
  /// What the type is called.
  public let typeName: String
  /// What the value must be beyond its type, such as “at least 0 and less than 1”.
  public let limits: String?
  /// The default, or nil if the option must be given.
  public let fallback: RecipeNode?
  /// What the option means.
  public let summary: String
  /// The allowed values, if they can be listed.
  public let choices: [Choice]
  /// The options inside this one, if it is a group or a list of groups.
  public let children: [FieldReference]

  /// Whether a recipe must give the option.
  public var isRequired: Bool { fallback == nil }

  /// The same option with other defaults, its own and those of the options inside it.
  func with(fallback: RecipeNode?, children: [FieldReference]) -> FieldReference {
    FieldReference(
      key: key,
      typeName: typeName,
      limits: limits,
      fallback: fallback,
      summary: summary,
      choices: choices,
      children: children
    )
  }

  /// The default as written in a recipe, or nil if there is none.
  public var fallbackText: String? { fallback.map(RecipePrinter.inline) }
}
