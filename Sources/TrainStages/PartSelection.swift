public import Models
public import Pipeline
internal import Tensor

/// The options `targets` and `exclude` over all parts of a model: matrices and norms.
public struct PartSelection: OptionGroup {
  /// Which parts.
  public var targets = [NamePattern("*")]
  /// Which of these not.
  public var exclude: [NamePattern] = []

  /// Selects every part.
  public init() {}

  /// The options.
  public static var fields: [Field<PartSelection>] {
    [
      .field(
        "targets",
        \.targets,
        "Which parts are trained, norms and the embedding included: a pattern or a list of "
          + "patterns over their names, such as `model.layers.*.mlp.*` or `*norm`."
      ),
      .field("exclude", \.exclude, "Which of these are not: a pattern or a list of patterns."),
    ]
  }

  /// Whether a part of a name is selected.
  package func selects(_ name: String) -> Bool {
    targets.contains { $0.matches(name) } && !exclude.contains { $0.matches(name) }
  }

  /// What each pattern of `targets` matches of some parts.
  package func matches(in parts: [ModelPromise.Part]) -> [StagePlan.Match] {
    targets.map { pattern in
      let matched = parts.filter { pattern.matches($0.name) }
      return StagePlan.Match(
        pattern: pattern.text,
        count: matched.count,
        parameterCount: matched.reduce(0) { $0 + $1.shape.count }
      )
    }
  }

  /// Finds patterns that match nothing, and a selection that leaves nothing.
  package func check(_ parts: [ModelPromise.Part]) -> [StageProblem] {
    let names = parts.map(\.name)
    var problems: [StageProblem] = []
    for (option, patterns) in [("targets", targets), ("exclude", exclude)] {
      for (index, pattern) in patterns.enumerated() where !names.contains(where: pattern.matches) {
        let nearest = pattern.nearest(among: names)
        problems.append(
          StageProblem(
            "`\(pattern.text)` matches no part that can be trained; nearest names: "
              + nearest.joined(separator: ", "),
            option: "\(option).\(index)"
          )
        )
      }
    }
    if problems.isEmpty, !names.contains(where: selects) {
      problems.append(
        StageProblem(
          "nothing is left to train",
          option: exclude.isEmpty ? "targets" : "exclude"
        )
      )
    }
    return problems
  }
}
