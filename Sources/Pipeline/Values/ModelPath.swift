import Foundation
public import Models

/// A model that a recipe reads: a folder or file relative to the recipe's folder, or the name of
/// a model in the hub cache.
public struct ModelPath: RecipeText, Hashable {
  /// The path or name as written.
  public var text: String

  /// Creates a path.
  public init(_ text: String) { self.text = text }

  /// “the path or hub name of a model”.
  public static var typeName: String { "the path or hub name of a model" }

  /// Reads a path or name, and notes that there must be such a model.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> ModelPath? {
    guard let text = node.scalar, !node.isNothing, let path = ModelPath(recipeText: text) else {
      return reading.expected(typeName, node)
    }
    reading.note(.model(path), at: node)
    return path
  }

  /// Reads a path or name; whether there is such a model is checked by opening it.
  public init?(recipeText: String) {
    guard !recipeText.isEmpty, !recipeText.contains("\0") else { return nil }
    text = recipeText
  }

  /// The path or name as written.
  public var recipeText: String { text }

  /// The path or name to open: a path relative to the recipe's folder first, then a hub name.
  public func location(_ paths: RecipePaths) -> String {
    let path = paths.input(text).path
    let isName =
      text.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)?/) != nil
    // A name that happens to be a path of the working directory would depend on where one stands.
    if !isName || FileManager.default.fileExists(atPath: path)
      || FileManager.default.fileExists(atPath: text)
    {
      return path
    }
    return text
  }

  /// Opens the model; its weights are read when used.
  public func load(_ paths: RecipePaths) throws -> LanguageModel {
    try ModelLoader.load(named: location(paths))
  }
}
