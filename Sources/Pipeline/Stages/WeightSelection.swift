public import Models
import Tensor

/// The options `targets` and `exclude`, shared by every stage that works on linear layers.
///
/// A stage takes them over with `Field.fields(of: \.selection)`.
public struct WeightSelection: OptionGroup {
  /// Patterns over names of linear layers; a layer is selected if any matches.
  public var targets: [NamePattern]
  /// Patterns over names of linear layers to leave out again.
  public var exclude: [NamePattern] = []

  /// Selects the linear layers of all blocks.
  public init() { self.init(targets: [NamePattern("model.layers.*")]) }

  /// Selects by patterns.
  public init(targets: [NamePattern], exclude: [NamePattern] = []) {
    self.targets = targets
    self.exclude = exclude
  }

  /// The two options.
  public static var fields: [Field<WeightSelection>] {
    [
      .field(
        "targets",
        \.targets,
        "Which linear layers the stage works on: a pattern or a list of patterns over their "
          + "names, in which `*` stands for any characters."
      ),
      .field(
        "exclude",
        \.exclude,
        "Which of these to leave out: a pattern or a list of patterns."
      ),
    ]
  }

  /// The selected linear layers in the model's order.
  public func select(from promise: ModelPromise) -> [ModelPromise.Part] {
    promise.matrices.filter { selects($0.name) }
  }

  /// Whether a linear layer of a name is selected.
  public func selects(_ name: String) -> Bool {
    targets.contains { $0.matches(name) } && !exclude.contains { $0.matches(name) }
  }

  /// Finds patterns that match nothing, and a selection that leaves nothing.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - path: Where the options stand inside the stage's, such as `rules.0`; empty for beside
  ///     the stage's own.
  /// - Returns: A problem for each, with the names nearest to a pattern.
  public func check(_ promise: ModelPromise, at path: String = "") -> [StageProblem] {
    let names = promise.matrices.map(\.name)
    let prefix = path.isEmpty ? "" : path + "."
    var problems: [StageProblem] = []
    for (option, patterns) in [("targets", targets), ("exclude", exclude)] {
      for (index, pattern) in patterns.enumerated() where !names.contains(where: pattern.matches) {
        problems.append(
          StageProblem(
            "`\(pattern.text)` matches no weight matrix\(Self.hint(pattern, names))",
            option: "\(prefix)\(option).\(index)"
          )
        )
      }
    }
    if problems.isEmpty, select(from: promise).isEmpty {
      problems.append(
        StageProblem(
          "nothing is left to work on",
          option: prefix + (exclude.isEmpty ? "targets" : "exclude")
        )
      )
    }
    return problems
  }

  /// What each pattern of `targets` matches, for a plan.
  public func matches(in promise: ModelPromise) -> [StagePlan.Match] {
    targets.map { pattern in
      let parts = promise.matrices.filter { part in
        pattern.matches(part.name) && !exclude.contains { $0.matches(part.name) }
      }
      return StagePlan.Match(
        pattern: pattern.text,
        count: parts.count,
        parameterCount: parts.reduce(0) { $0 + $1.shape.count }
      )
    }
  }

  /// Finds layers that two selections of one stage both claim.
  ///
  /// - Parameters:
  ///   - rules: Each selection with its path inside the stage's options, such as `rules.1`.
  ///   - promise: The model before the stage.
  /// - Returns: A problem for every selection that claims what an earlier one has.
  public static func overlaps(
    _ rules: [(path: String, selection: WeightSelection)],
    in promise: ModelPromise
  ) -> [StageProblem] {
    var owners: [String: String] = [:]
    var problems: [StageProblem] = []
    for rule in rules {
      let claimed = rule.selection.select(from: promise).map(\.name)
      let taken = claimed.filter { owners[$0] != nil }
      if let first = taken.first, let owner = owners[first] {
        let others = taken.count > 1 ? " and \(taken.count - 1) more" : ""
        problems.append(
          StageProblem(
            "`\(first)`\(others) is claimed by `\(owner)` already",
            option: rule.path + ".targets"
          )
        )
      }
      for name in claimed where owners[name] == nil { owners[name] = rule.path }
    }
    return problems
  }

  private static func hint(_ pattern: NamePattern, _ names: [String]) -> String {
    let nearest = pattern.nearest(among: names)
    return nearest.isEmpty
      ? "" : "; the nearest are \(Wording.list(nearest.map { "`\($0)`" }, "and"))"
  }
}

extension NamePattern: RecipeText {
  /// “a pattern over names”.
  public static var typeName: String { "a pattern over names" }

  /// Reads a pattern; every text is one.
  public init?(recipeText: String) {
    guard !recipeText.isEmpty else { return nil }
    self.init(recipeText)
  }

  /// The pattern as written.
  public var recipeText: String { text }
}
