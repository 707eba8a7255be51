/// A bound of a gate.
public struct GateBound: OptionGroup {
  /// The largest value that passes.
  public var atMost: GateLimit?
  /// The smallest value that passes.
  public var atLeast: GateLimit?
  /// The export or stage that the bound is for; nil for every export, or without exports for the
  /// final model.
  public var of: String?

  /// Creates a bound that everything passes.
  public init() {}

  /// The options of a bound.
  public static var fields: [Field<GateBound>] {
    [
      .field("at_most", \.atMost, "The largest value that passes."),
      .field("at_least", \.atLeast, "The smallest value that passes."),
      .field(
        "of",
        \.of,
        "Path of an export, or a stage's kind or number and kind, such as `02-quantize.gptq`. By "
          + "default the bound is for every export, or without exports for the final model."
      ),
    ]
  }

  /// Finds a bound without a limit, or one that nothing can pass.
  public func problems() -> [StageProblem] {
    guard atMost != nil || atLeast != nil else {
      return [StageProblem("a gate needs `at_most` or `at_least`")]
    }
    if let atMost, let atLeast, atMost.value < atLeast.value {
      return [StageProblem("nothing is at least \(atLeast.text) and at most \(atMost.text)")]
    }
    return []
  }

  /// Whether a value passes; what is not a number does not.
  func passes(_ value: Double) -> Bool {
    !value.isNaN && atMost.map { value <= $0.value } ?? true
      && atLeast.map { value >= $0.value } ?? true
  }

  /// The bound as reports show it, such as “at most 1.05”.
  var text: String {
    [atLeast.map { "at least \($0.text)" }, atMost.map { "at most \($0.text)" }]
      .compactMap { $0 }.joined(separator: " and ")
  }
}

/// A number that a gate compares with: `1.05`, or a size such as `90MiB`.
public struct GateLimit: RecipeValue {
  /// The number, bytes for a size.
  public let value: Double
  /// The number as written.
  public let text: String

  /// “a number, or a size such as `90MiB`”.
  public static var typeName: String { "a number, or a size such as `90MiB`" }

  /// Reads a number or a size.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> GateLimit? {
    guard case .scalar(let text, isQuoted: false) = node.content else {
      return reading.expected(typeName, node)
    }
    var attempt = RecipeReading()
    if let number = Double.read(node, &attempt) { return GateLimit(value: number, text: text) }
    if let size = ByteSize(recipeText: text) {
      return GateLimit(value: Double(size.byteCount), text: text)
    }
    return reading.expected(typeName, node)
  }

  /// The number as written.
  public var recipeNode: RecipeNode { .plain(text) }
}

/// A bound on a metric.
struct Gate: Sendable, Equatable {
  let metric: Metric
  let bound: GateBound
  /// Where the bound stands in the recipe, as a dotted path.
  let path: String
}
