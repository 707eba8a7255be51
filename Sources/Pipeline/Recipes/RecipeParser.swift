import Yams

/// Turns the text of a recipe into nodes.
///
/// A recipe may come from anyone, so that its size, its depth and what its aliases multiply it to
/// are limited; within the limits no text traps or takes long.
enum RecipeParser {
  /// The largest recipe in bytes.
  static let byteLimit = 256 << 10
  /// How many lists and groups may lie inside one another.
  static let depthLimit = 32
  /// How many values a recipe may have with its aliases replaced.
  static let nodeLimit = 20_000
  /// How many `&anchors` and `*aliases` a recipe may have.
  static let anchorLimit = (anchors: 4, aliases: 16)

  /// Parses a text.
  ///
  /// - Throws: ``RecipeProblems`` for a text that is no YAML, or beyond the limits.
  static func parse(_ text: String, name: String) throws(RecipeProblems) -> RecipeNode {
    let source = RecipeSource(name: name, text: text)
    guard text.utf8.count <= byteLimit else {
      throw RecipeProblems([
        RecipeProblem("the recipe is larger than \(byteLimit >> 10) KiB", at: source.start)
      ])
    }
    if let problem = anchorProblem(text, source) { throw RecipeProblems([problem]) }
    let (node, renamed) = try compose(text, source)
    guard let node else {
      throw RecipeProblems([RecipeProblem("the recipe is empty", at: source.start)])
    }
    var conversion = YAMLConversion(source: source, renamedKeys: renamed)
    let result = conversion.convert(node, depth: 0)
    guard conversion.problems.isEmpty else { throw RecipeProblems(conversion.problems) }
    return result
  }

  // Yams stops at the first repeated key, without saying where it is repeated. The first
  // occurrence gets a name of its own, of the same width, until no key is repeated any more;
  // the repetition is then found when the keys are read, with everything else that is wrong.
  private static func compose(
    _ text: String,
    _ source: RecipeSource
  ) throws(RecipeProblems) -> (node: Node?, renamedKeys: [String: String]) {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { Array($0.unicodeScalars) }
    var renamed: [String: String] = [:]
    while true {
      let current = renamed.isEmpty ? text : joined(lines)
      do {
        return (try Yams.compose(yaml: current), renamed)
      } catch let YamlError.duplicatedKeysInMapping(keys, context) {
        let (line, column) = (context.mark.line - 1, context.mark.column - 1)
        guard renamed.count < 20, text.utf8.count < 1 << 15, let key = keys.first,
          lines.indices.contains(line)
        else {
          throw RecipeProblems([repeated(keys, context.mark, source)])
        }
        let old = Array(key.unicodeScalars)
        let range = column..<(column + old.count)
        guard column >= 0, range.upperBound <= lines[line].count, !old.isEmpty,
          lines[line][range].elementsEqual(old),
          let stand = Unicode.Scalar(0xE000 + UInt32(renamed.count))
        else { throw RecipeProblems([repeated(keys, context.mark, source)]) }
        let name = Array(repeating: stand, count: old.count)
        lines[line].replaceSubrange(range, with: name)
        renamed[String(String.UnicodeScalarView(name))] = key
      } catch {
        throw RecipeProblems([problem(error, source)])
      }
    }
  }

  private static func joined(_ lines: [[Unicode.Scalar]]) -> String {
    String(String.UnicodeScalarView(lines.joined(separator: ["\n"])))
  }

  private static func repeated(
    _ keys: [String],
    _ mark: Mark,
    _ source: RecipeSource
  ) -> RecipeProblem {
    let names = keys.map { "`\(Wording.excerpt($0))`" }
    return RecipeProblem(
      "\(Wording.list(names, "and")) is given twice",
      at: source.position(mark)
    )
  }

  private static func problem(_ error: any Error, _ source: RecipeSource) -> RecipeProblem {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      let isAlias = context?.text.contains("alias") ?? false
      if isAlias || problem.contains("undefined alias") {
        return RecipeProblem(
          "a value that begins with `*` must be in quotes",
          at: source.position(isAlias ? context?.mark ?? mark : mark)
        )
      }
      let during =
        context.map { context in
          let start =
            context.mark.line < mark.line ? " that began on line \(context.mark.line)" : ""
          return ", \(context.text.trimmed)\(start)"
        } ?? ""
      return RecipeProblem("not YAML: \(problem.trimmed)\(during)", at: source.position(mark))
    case YamlError.reader(let problem, _, _, _):
      return RecipeProblem("not YAML: \(problem.trimmed)", at: source.start)
    default:
      return RecipeProblem("not YAML", at: source.start)
    }
  }

  // Counts what could be an anchor or an alias, and what only looks like one inside a comment or
  // quotes, as telling them apart takes a YAML parser. Few of them cannot multiply to much.
  private static func anchorProblem(_ text: String, _ source: RecipeSource) -> RecipeProblem? {
    var (anchors, aliases) = (0, 0)
    let openers = Set("\n\r\t [{,:-?".unicodeScalars)
    for (number, line) in source.lines.enumerated() {
      var previous: Unicode.Scalar = "\n"
      for (column, scalar) in line.unicodeScalars.enumerated() {
        if openers.contains(previous) {
          if scalar == "&" { anchors += 1 }
          if scalar == "*" { aliases += 1 }
        }
        previous = scalar
        // Aliases need anchors: a list of patterns such as `- *.mlp` is another mistake.
        if anchors > anchorLimit.anchors || anchors > 0 && aliases > anchorLimit.aliases {
          return RecipeProblem(
            "more than \(anchorLimit.anchors) anchors (`&name`) or \(anchorLimit.aliases) aliases "
              + "(`*name`); write the values out",
            at: SourcePosition(source: source, line: number + 1, column: column + 1)
          )
        }
      }
    }
    return nil
  }
}

extension RecipeSource {
  var start: SourcePosition { SourcePosition(source: self, line: 1, column: 1) }

  func position(_ mark: Mark) -> SourcePosition {
    // What is missing at the end is shown at the end of the last line with something on it.
    if !lines.indices.contains(mark.line - 1) || lines[(mark.line - 1)...].allSatisfy(\.isEmpty),
      let last = lines.lastIndex(where: { !$0.isEmpty })
    {
      let column = lines[last].unicodeScalars.count + 1
      return SourcePosition(source: self, line: last + 1, column: column)
    }
    return SourcePosition(source: self, line: max(1, mark.line), column: max(1, mark.column))
  }
}

extension String {
  fileprivate var trimmed: String {
    var text = Substring(self)
    while text.first?.isWhitespace ?? false { text.removeFirst() }
    while text.last?.isWhitespace ?? false { text.removeLast() }
    return String(text)
  }
}
