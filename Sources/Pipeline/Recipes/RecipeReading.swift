/// What is gathered while a recipe is read: problems, places of keys, and the files it names.
public struct RecipeReading: Sendable {
  /// The problems found so far.
  public private(set) var problems: [RecipeProblem] = []
  /// The keys and indices that lead to the value being read, such as `stages`, `0`, `bits`.
  private(set) var path: [String] = []
  /// Where each value stands, by its dotted path.
  private(set) var positions: [String: SourcePosition] = [:]
  /// The files, folders and models that the recipe names.
  private(set) var inputs: [Input] = []
  /// The stages and metrics that the recipe can name.
  let registry: StageRegistry

  /// Something that the recipe reads, with the dotted path and the place of the option.
  struct Input: Sendable {
    enum Source: Sendable {
      case path(String)
      case model(ModelPath)
    }

    let key: String
    let source: Source
    let position: SourcePosition?
  }

  /// Creates an empty reading.
  public init(registry: StageRegistry = StageRegistry(stages: [])) { self.registry = registry }

  /// Notes a problem at a node.
  public mutating func problem(_ message: String, at node: RecipeNode) {
    problems.append(RecipeProblem(message, at: node.position))
  }

  /// Notes a problem at a place.
  public mutating func problem(_ message: String, at position: SourcePosition?) {
    problems.append(RecipeProblem(message, at: position))
  }

  /// Notes that a node is not what its key asks for, and returns nil for the reader to return.
  public mutating func expected<Value>(_ what: String, _ node: RecipeNode) -> Value? {
    let key = path.last { Int($0) == nil } ?? "the recipe"
    problem("\(key) must be \(what), not \(node.shortDescription)", at: node)
    return nil
  }

  /// Notes that a file or folder must exist before the recipe can run.
  public mutating func input(_ path: String, at node: RecipeNode) {
    note(.path(path), at: node)
  }

  /// Notes that a file, folder or model is read.
  mutating func note(_ source: Input.Source, at node: RecipeNode) {
    inputs.append(
      Input(key: path.joined(separator: "."), source: source, position: node.position)
    )
  }

  /// Reads the value under a key or at an index, remembering where it stands.
  public mutating func read<Value: RecipeValue>(
    _ type: Value.Type,
    _ node: RecipeNode,
    under key: String
  ) -> Value? {
    descend(key, node) { $0.readHere(type, node) }
  }

  /// Reads the value under a key; a group keeps what the node does not give.
  mutating func read<Value: RecipeValue>(
    _ node: RecipeNode,
    under key: String,
    changing value: Value
  ) -> Value? {
    descend(key, node) { reading in
      guard Value.self is any OptionGroup.Type, let group = value as? any OptionGroup else {
        return reading.readHere(Value.self, node)
      }
      return group.changed(by: node, &reading) as? Value
    }
  }

  mutating func descend<Result>(
    _ key: String,
    _ node: RecipeNode,
    _ body: (inout RecipeReading) -> Result
  ) -> Result {
    path.append(key)
    defer { path.removeLast() }
    positions[path.joined(separator: ".")] = node.position
    return body(&self)
  }

  mutating func readHere<Value: RecipeValue>(_ type: Value.Type, _ node: RecipeNode) -> Value? {
    Value.read(node, &self)
  }
}

extension RecipeNode {
  /// The node as a message quotes it: a short value itself, else its kind.
  var shortDescription: String {
    guard case .scalar(let text, _) = content, !isNothing else { return kindName }
    return text.count <= 40 && !text.contains("\n") ? "`\(text)`" : kindName
  }
}
