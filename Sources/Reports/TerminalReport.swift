public import Pipeline

/// A report's tables as text in columns, for a terminal.
public enum TerminalReport {
  /// Renders the results and the gates.
  public static func render(_ report: RunReport) -> String {
    var text = table(report.resultTable)
    if let changes = StageChanges(report)?.table(report.metrics) {
      text += "\nWhat each stage gave and took\n" + table(changes)
    }
    if !report.gates.isEmpty { text += "\n" + table(report.gateTable) }
    return text
  }

  static func table(_ table: ReportTable) -> String {
    TerminalTable.render(
      titles: table.columns.map(\.title),
      rows: table.rows,
      isNumeric: table.columns.map(\.isNumeric)
    )
  }
}

/// Text in columns.
package enum TerminalTable {
  /// Lays out rows under titles; numeric columns are set flush right.
  package static func render(titles: [String], rows: [[String]], isNumeric: [Bool]) -> String {
    let cells = ([titles] + rows).map { row in row.map(clean) }
    let widths = titles.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    let lines = cells.map { row in
      row.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return isNumeric[column] ? padding + row[column] : row[column] + padding
      }.joined(separator: "  ").trimmedEnd
    }
    let rule = String(repeating: "─", count: widths.reduce(0, +) + 2 * max(0, widths.count - 1))
    return ([lines[0], rule] + lines.dropFirst()).map { $0 + "\n" }.joined()
  }

  // Control characters of names could move the cursor or change the terminal.
  private static func clean(_ text: String) -> String {
    String(
      text.unicodeScalars.map { scalar -> Character in
        scalar.properties.generalCategory == .control ? " " : Character(scalar)
      }
    )
  }
}

extension String {
  fileprivate var trimmedEnd: String {
    var text = Substring(self)
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
