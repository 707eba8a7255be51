public import Foundation

/// Where the paths of a recipe start.
///
/// Inputs are relative to the recipe's folder, so that a recipe works from anywhere; exports are
/// relative to the run directory, so that a recipe never writes elsewhere.
public struct RecipePaths: Sendable, Hashable {
  /// The folder of the recipe.
  public let recipeFolder: URL

  /// Creates the paths of a recipe in a folder.
  public init(recipeFolder: URL) { self.recipeFolder = recipeFolder }

  /// The file or folder that an input's path means; `~` is the home folder.
  public func input(_ path: String) -> URL {
    if path == "~" || path.hasPrefix("~/") {
      let home = FileManager.default.homeDirectoryForCurrentUser
      return home.appending(path: String(path.dropFirst(2))).standardizedFileURL
    }
    if path.hasPrefix("/") { return URL(filePath: path).standardizedFileURL }
    return recipeFolder.appending(path: path).standardizedFileURL
  }
}
