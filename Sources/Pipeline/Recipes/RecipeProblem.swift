/// Something wrong in a recipe, at a place.
public struct RecipeProblem: Error, Sendable, Hashable {
  /// Where it is, or nil if it concerns the recipe as a whole.
  public let position: SourcePosition?
  /// What is wrong, in one sentence without a full stop.
  public let message: String

  /// Creates a problem.
  public init(_ message: String, at position: SourcePosition?) {
    self.message = message
    self.position = position
  }
}

extension RecipeProblem: CustomStringConvertible {
  /// The problem as compilers print them: `file:line:column: error: …`, the line, and a caret.
  public var description: String { described(as: "error") }

  /// The problem as compilers print them, and called otherwise, such as `warning`.
  public func described(as severity: String) -> String {
    guard let position else { return "\(severity): \(message)" }
    // Further lines of a message, such as what to do, come after the place.
    let lines = message.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    let headline = "\(position): \(severity): \(lines.first ?? "")"
    let rest = lines.dropFirst().map { "\n\($0)" }.joined()
    return headline + (position.snippet.map { "\n\($0)" } ?? "") + rest
  }
}

/// Every problem found in a recipe.
public struct RecipeProblems: Error, Sendable, Hashable, CustomStringConvertible {
  /// The problems in the order of the text.
  public let problems: [RecipeProblem]

  /// Collects problems, in the order of the text and each once.
  public init(_ problems: [RecipeProblem]) {
    var seen: Set<RecipeProblem> = []
    self.problems =
      problems.filter { seen.insert($0).inserted }.enumerated().sorted { left, right in
        guard let a = left.element.position, let b = right.element.position, a != b else {
          return left.offset < right.offset
        }
        return a < b
      }.map(\.element)
  }

  /// All problems, one after the other.
  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
