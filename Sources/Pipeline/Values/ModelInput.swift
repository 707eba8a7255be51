/// The model that a recipe starts from: one that there is, or one that is made.
///
///     model: HuggingFaceTB/SmolLM2-135M
///
///     model:
///       new: { layers: 6, hidden_size: 192, … }
public enum ModelInput: RecipeValue {
  /// A folder, a GGUF file, or a name in the hub cache.
  case existing(ModelPath)
  /// A model that has not been trained.
  case new(NewModel)

  /// “the path or hub name of a model, or `new: {…}`”.
  public static var typeName: String { "\(ModelPath.typeName), or `new: {…}`" }

  /// Reads a path or name, or the description of a new model under the key `new`.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> ModelInput? {
    guard case .map(let entries) = node.content, !entries.isEmpty else {
      guard node.scalar != nil, !node.isNothing else { return reading.expected(typeName, node) }
      return ModelPath.read(node, &reading).map { .existing($0) }
    }
    reading.checkKeys(entries, known: [newKey])
    guard let entry = entries.first(where: { $0.key == newKey }) else { return nil }
    // What is missing is missing under the key; an empty value has no place worth showing.
    let value = RecipeNode(entry.value.content, at: entry.position ?? entry.value.position)
    return reading.read(NewModel.self, value, under: newKey).map { .new($0) }
  }

  /// The path or name as written, or the description under `new`.
  public var recipeNode: RecipeNode {
    switch self {
    case .existing(let path): path.recipeNode
    case .new(let model): RecipeNode(.map([RecipeNode.Entry(Self.newKey, model.recipeNode)]))
    }
  }

  /// The description of a new model, if it is one.
  var new: NewModel? {
    if case .new(let model) = self { model } else { nil }
  }

  private static let newKey = "new"
}

extension ModelInput: NestingValue {
  static var elementFields: [FieldReference] {
    [
      FieldReference(
        key: newKey,
        typeName: NewModel.typeName,
        limits: nil,
        fallback: .plain("null"),
        summary: "In place of a path: a model that has not been trained. Sizes that are not given "
          + "are those of `config`; without `config` they must be given.",
        choices: [],
        children: NewModel.fieldReferences
      )
    ]
  }
}
