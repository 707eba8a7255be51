internal import Datasets
internal import Foundation
public import Pipeline

/// Data that a recipe reads: a text that comes with the tool, a file, or a folder.
public struct DataInput: RecipeValue, Hashable {
  /// The name or path as written.
  public var text: String

  /// Creates an input.
  public init(_ text: String) { self.text = text }

  /// “a file, a folder, or a built-in text”.
  public static var typeName: String { "a file, a folder, or a built-in text" }

  /// Reads a name of a built-in text, or a path, which must exist.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> DataInput? {
    guard let text = node.scalar, !text.isEmpty, !node.isNothing else {
      return reading.expected(typeName, node)
    }
    guard text.hasPrefix("builtin:") else {
      return InputPath.read(node, &reading).map { DataInput($0.path) }
    }
    do {
      _ = try TextSource(text)
      return DataInput(text)
    } catch {
      reading.problem(error.description, at: node)
      return nil
    }
  }

  /// The name or path as written.
  public var recipeNode: RecipeNode { .text(text) }

  /// The data set meant.
  func source(_ paths: RecipePaths, _ options: RecordOptions) throws(DatasetError) -> RecordSource {
    let isBuiltin = text.hasPrefix("builtin:")
    return try RecordSource(isBuiltin ? text : paths.input(text).path, options: options)
  }
}
