/// The path of a file or folder that a recipe writes, relative to the run directory.
public struct ExportPath: RecipeText, Hashable {
  /// The path as written.
  public var path: String

  /// Creates a path.
  public init(_ path: String) { self.path = path }

  /// “a path inside the run directory”.
  public static var typeName: String { "a path inside the run directory" }

  /// Reads a relative path that does not lead out of the run directory.
  public init?(recipeText: String) {
    let parts = recipeText.split(separator: "/", omittingEmptySubsequences: false)
    guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }),
      !recipeText.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    else { return nil }
    path = recipeText
  }

  /// The path as written.
  public var recipeText: String { path }
}
