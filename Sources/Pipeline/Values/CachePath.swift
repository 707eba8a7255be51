public import Foundation

/// The path of a folder that runs share, relative to the recipe's folder.
public struct CachePath: RecipeText, Hashable {
  /// The path as written.
  public var path: String

  /// Creates a path.
  public init(_ path: String) { self.path = path }

  /// “the path of a folder”.
  public static var typeName: String { "the path of a folder" }

  /// Reads a path; the folder need not be there.
  public init?(recipeText: String) {
    guard !recipeText.isEmpty, !recipeText.contains("\0") else { return nil }
    path = recipeText
  }

  /// The path as written.
  public var recipeText: String { path }

  /// Why nothing could be kept there; nil if it can.
  func objection(_ paths: RecipePaths) -> String? {
    let files = FileManager.default
    var place = url(paths)
    while !FileTree.exists(place), place.path != "/" { place.deleteLastPathComponent() }
    guard FileTree.isFolder(place) else { return "\(place.path) is a file, not a folder" }
    return files.isWritableFile(atPath: place.path) ? nil : "\(place.path) cannot be written to"
  }

  /// The folder meant.
  public func url(_ paths: RecipePaths) -> URL { paths.input(path) }
}
