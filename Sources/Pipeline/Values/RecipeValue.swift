/// A type of option: how it is read from a recipe, printed into one, and called.
///
/// `Int`, `Double`, `Bool`, `String`, arrays, optionals and ``ByteSize`` conform, and so do all
/// ``OptionGroup``s. An enum of choices conforms to ``RecipeChoice`` instead, and a type that is
/// written as one piece of text, such as `2:4`, to ``RecipeText``.
public protocol RecipeValue: Sendable, Equatable {
  /// What the type is called, as in “bits must be *a whole number*”.
  static var typeName: String { get }

  /// Reads a value, or notes what is wrong with the node and returns nil.
  static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> Self?

  /// The value as a node that ``read(_:_:)`` reads back to an equal value.
  var recipeNode: RecipeNode { get }

  /// The allowed values and their meaning, if they can be listed.
  static var choices: [(name: String, summary: String)] { get }
}

extension RecipeValue {
  /// None: the values cannot be listed.
  public static var choices: [(name: String, summary: String)] { [] }
}
