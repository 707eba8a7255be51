/// What a run must reach: for each metric one bound, or a list of bounds.
public struct GateList: RecipeValue {
  private(set) var gates: [Gate] = []

  /// Creates an empty list.
  public init() {}

  /// “metrics with bounds”.
  public static var typeName: String { "metrics with bounds, such as `perplexity_ratio: {…}`" }

  /// Reads a group whose keys are metrics.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> GateList? {
    if node.isNothing { return GateList() }
    guard case .map(let entries) = node.content else { return reading.expected(typeName, node) }
    let problemCount = reading.problems.count
    let metrics = reading.registry.metrics
    reading.checkKeys(entries, known: metrics.map(\.name), noun: "metric")
    var list = GateList()
    for entry in entries {
      guard let metric = metrics.first(where: { $0.name == entry.key }) else { continue }
      let path = "gates.\(entry.key)"
      if case .list(let items) = entry.value.content {
        reading.descend(entry.key, entry.value) { reading in
          for (index, item) in items.enumerated() {
            guard let bound = reading.read(GateBound.self, item, under: "\(index)") else {
              continue
            }
            list.gates.append(Gate(metric: metric, bound: bound, path: "\(path).\(index)"))
          }
        }
      } else if let bound = reading.read(GateBound.self, entry.value, under: entry.key) {
        list.gates.append(Gate(metric: metric, bound: bound, path: path))
      }
    }
    return reading.problems.count == problemCount ? list : nil
  }

  /// The metrics with their bounds.
  public var recipeNode: RecipeNode {
    var entries: [RecipeNode.Entry] = []
    for gate in gates where !entries.contains(where: { $0.key == gate.metric.name }) {
      let bounds = gates.filter { $0.metric.name == gate.metric.name }.map(\.bound.recipeNode)
      let value =
        bounds.count == 1 && !gate.path.hasSuffix(".0") ? bounds[0] : RecipeNode(.list(bounds))
      entries.append(RecipeNode.Entry(gate.metric.name, value))
    }
    return RecipeNode(.map(entries))
  }
}
