/// An option that is written as one piece of text, such as a sparsity pattern `2:4`.
public protocol RecipeText: RecipeValue {
  /// Reads the text, or returns nil if it is not of the form that ``RecipeValue/typeName`` says.
  init?(recipeText: String)

  /// The text that is read back to an equal value.
  var recipeText: String { get }
}

extension RecipeText {
  /// Reads the text of a node.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> Self? {
    guard let text = node.scalar, !node.isNothing, let value = Self(recipeText: text) else {
      return reading.expected(typeName, node)
    }
    return value
  }

  /// The text; a number needs no quotes, as any text is read, quoted or not.
  public var recipeNode: RecipeNode {
    Double(recipeText) == nil ? .text(recipeText) : .plain(recipeText)
  }
}
