public import Foundation

/// The path of a file or folder that a recipe reads, relative to the recipe's folder.
///
/// That it exists is checked before anything runs.
public struct InputPath: RecipeValue, Hashable {
  /// The path as written.
  public var path: String

  /// Creates a path.
  public init(_ path: String) { self.path = path }

  /// “a path”.
  public static var typeName: String { "a path" }

  /// Reads a path, and notes that it must exist.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> InputPath? {
    guard let path = node.scalar, !path.isEmpty, !node.isNothing, !path.contains("\0") else {
      return reading.expected(typeName, node)
    }
    reading.input(path, at: node)
    return InputPath(path)
  }

  /// The path as written.
  public var recipeNode: RecipeNode { .text(path) }

  /// The file or folder meant.
  public func url(_ paths: RecipePaths) -> URL { paths.input(path) }
}
