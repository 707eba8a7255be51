import Yams

/// Turns Yams's nodes into a recipe's, with their positions, within the limits.
struct YAMLConversion {
  let source: RecipeSource
  /// Stand-ins for keys that are given twice, with the keys they stand for.
  let renamedKeys: [String: String]
  private(set) var problems: [RecipeProblem] = []
  private var count = 0

  init(source: RecipeSource, renamedKeys: [String: String]) {
    self.source = source
    self.renamedKeys = renamedKeys
  }

  mutating func convert(_ node: Node, depth: Int) -> RecipeNode {
    let position = node.mark.map(source.position)
    count += 1
    guard depth <= RecipeParser.depthLimit, count <= RecipeParser.nodeLimit else {
      if problems.isEmpty {
        let limit =
          depth > RecipeParser.depthLimit
          ? "lists and groups lie more than \(RecipeParser.depthLimit) deep"
          : "the recipe has more than \(RecipeParser.nodeLimit) values"
        problems.append(RecipeProblem(limit, at: position))
      }
      return RecipeNode(.list([]), at: position)
    }
    switch node {
    case .scalar(let scalar):
      // An explicit `!!str` makes text of a number, as quotes do.
      let isQuoted =
        scalar.style != .plain && scalar.style != .any
        || scalar.tag.description == Tag.Name.str.rawValue && isNonText(scalar.string)
      return RecipeNode(.scalar(scalar.string, isQuoted: isQuoted), at: position)
    case .sequence(let nodes):
      var items: [RecipeNode] = []
      for node in nodes where count <= RecipeParser.nodeLimit {
        items.append(convert(node, depth: depth + 1))
      }
      return RecipeNode(.list(items), at: position)
    case .mapping(let mapping):
      var entries: [RecipeNode.Entry] = []
      for (key, value) in mapping where count <= RecipeParser.nodeLimit {
        let place = key.mark.map(source.position)
        guard case .scalar(let scalar) = key else {
          problems.append(RecipeProblem("a key must be text, not a list or a group", at: place))
          continue
        }
        let name = renamedKeys[scalar.string] ?? scalar.string
        entries.append(RecipeNode.Entry(name, convert(value, depth: depth + 1), at: place))
      }
      return RecipeNode(.map(entries), at: position)
    case .alias:
      // Yams replaces aliases when it composes.
      return RecipeNode(.scalar("", isQuoted: false), at: position)
    }
  }

  private func isNonText(_ text: String) -> Bool {
    Double(text) != nil || Bool(text) != nil || RecipeNode.plain(text).isNothing
  }
}
