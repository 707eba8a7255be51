/// A stage of a recipe: a list item with one key, the stage's kind, and its options under it.
public struct RecipeStage: RecipeValue {
  /// The stage, with its options.
  public let stage: any Stage
  /// The options as a recipe gives them with every default written out.
  let options: RecipeNode

  /// What the recipe calls the stage.
  public var kind: String { type(of: stage).kind }

  /// What running the stage leaves behind.
  public var effect: StageEffect { type(of: stage).effect }

  /// “a stage with its options”.
  public static var typeName: String { "a stage with its options, such as `prune.wanda: {…}`" }

  /// Reads a stage of a kind that the registry has.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> RecipeStage? {
    let entry: RecipeNode.Entry
    if let kind = node.scalar, !node.isNothing {
      entry = RecipeNode.Entry(kind, .plain(""), at: node.position)
    } else if case .map(let entries) = node.content, entries.count == 1 {
      entry = entries[0]
    } else if case .map(let entries) = node.content, let first = entries.first,
      reading.registry.stage(first.key) != nil
    {
      // The usual slip: options beside the stage's kind instead of under it.
      reading.problem(
        "`\(entries[1].key)` stands beside `\(first.key)`; indent the options of a stage under it",
        at: entries[1].position
      )
      return nil
    } else {
      return reading.expected(typeName, node)
    }
    guard let type = reading.registry.stage(entry.key) else {
      let kinds = reading.registry.stages.map { $0.kind }
      let hint = Wording.didYouMean(entry.key, kinds, orList: "known stages")
      reading.problem("unknown stage `\(Wording.excerpt(entry.key))`\(hint)", at: entry.position)
      return nil
    }
    return make(type, entry, &reading)
  }

  private static func make<Kind: Stage>(
    _ type: Kind.Type,
    _ entry: RecipeNode.Entry,
    _ reading: inout RecipeReading
  ) -> RecipeStage? {
    // An empty node has no place worth showing; the kind has.
    let node = RecipeNode(entry.value.content, at: entry.position ?? entry.value.position)
    guard let options = reading.readHere(Kind.Options.self, node) else { return nil }
    return RecipeStage(stage: Kind(options), options: options.recipeNode)
  }

  /// The kind with all options under it.
  public var recipeNode: RecipeNode { RecipeNode(.map([RecipeNode.Entry(kind, options)])) }

  /// Whether two stages are of the same kind with the same options.
  public static func == (left: RecipeStage, right: RecipeStage) -> Bool {
    left.kind == right.kind && left.options == right.options
  }
}
