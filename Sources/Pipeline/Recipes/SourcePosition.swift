/// A text that problems can point into: a recipe file, or an override given on the command line.
public struct RecipeSource: Sendable, Hashable {
  /// What messages call the text, usually a file's path.
  public let name: String
  /// The lines of the text, without their ends.
  let lines: [String]

  /// Creates a source from its text.
  public init(name: String, text: String) {
    self.name = name
    lines = text.split(separator: /\r\n|\n|\r/, omittingEmptySubsequences: false).map(String.init)
  }
}

/// A place in a recipe.
public struct SourcePosition: Sendable, Hashable {
  /// The text that the place is in.
  public let source: RecipeSource
  /// The line, from 1.
  public let line: Int
  /// The column, from 1, counted in Unicode scalars.
  public let column: Int

  /// Creates a position.
  public init(source: RecipeSource, line: Int, column: Int) {
    self.source = source
    self.line = line
    self.column = column
  }

  /// The line with a caret under the column, or nil if the line does not exist.
  public var snippet: String? {
    guard source.lines.indices.contains(line - 1) else { return nil }
    // Control characters would move the caret, or worse, the terminal's cursor.
    let scalars = source.lines[line - 1].unicodeScalars.map { scalar -> Character in
      scalar.properties.generalCategory == .control ? " " : Character(scalar)
    }
    // A very long line is cut around the column.
    let start = scalars.count <= 100 ? 0 : max(0, min(column - 1, scalars.count) - 60)
    let shown = scalars.dropFirst(start).prefix(100)
    return String(shown) + "\n" + String(repeating: " ", count: max(0, column - 1 - start)) + "^"
  }
}

extension SourcePosition: CustomStringConvertible {
  /// The position as `file:line:column`.
  public var description: String { "\(source.name):\(line):\(column)" }
}

extension SourcePosition: Comparable {
  /// Whether a position comes first; positions of different sources are ordered by name.
  public static func < (left: SourcePosition, right: SourcePosition) -> Bool {
    (left.source.name, left.line, left.column) < (right.source.name, right.line, right.column)
  }
}
