public import Models

/// A family of models, written as its `model_type`, such as `llama`.
public struct ModelFamily: RecipeText, Hashable {
  /// The family's conventions.
  public var architecture: Architecture

  /// Creates a choice of a family.
  public init(_ architecture: Architecture) { self.architecture = architecture }

  /// Reads a `model_type` that is supported.
  public init?(recipeText: String) {
    guard let architecture = Architecture.named(recipeText) else { return nil }
    self.architecture = architecture
  }

  /// The supported families, as in “`llama` or `mistral`”.
  public static var typeName: String {
    Wording.list(Architecture.all.map { "`\($0.modelType)`" }, "or")
  }

  /// The `model_type`.
  public var recipeText: String { architecture.modelType }
}
