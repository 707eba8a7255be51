public import Pipeline

/// A report as Markdown, for a terminal, a pull request or a model card.
public enum MarkdownReport {
  /// Renders a report.
  public static func render(_ report: RunReport) -> String {
    let summary = ReportSummary(report: report)
    var text = "# \(escape(report.name))\n\n\(escape(summary.headline))\n"
    if let verdict = summary.verdict { text += "\n**\(verdict.capitalizedFirst).**\n" }
    if !report.gates.isEmpty { text += "\n## Gates\n\n" + table(report.gateTable) }
    text += "\n## Results\n\n" + table(report.resultTable)
    text += legend(report)
    if let changes = StageChanges(report)?.table(report.metrics) {
      text += "\n## What each stage gave and took\n\n" + table(changes)
    }
    for entry in report.entries where entry.subject != .baseline { text += section(entry, report) }
    let warnings = report.entries.first { $0.subject == .baseline }?.warnings ?? []
    if !warnings.isEmpty {
      text += "\n## Warnings\n\n" + warnings.map { "- \(escape($0))\n" }.joined()
    }
    text += "\n## Recipe\n\n" + fenced(report.recipe, "yaml")
    text += "\n\(escape(summary.circumstances))\n"
    return text
  }

  private static func section(_ entry: RunReport.Entry, _ report: RunReport) -> String {
    var text = "\n## \(escape(entry.title))\n"
    if let kind = entry.kind { text += "\n`\(code(kind)): \(code(entry.options ?? ""))`\n" }
    for warning in entry.warnings { text += "\n> **Warning:** \(escape(warning))\n" }
    let others = entry.otherNumbers(report.metrics)
    if !others.isEmpty {
      text += "\n" + others.map { "- \(escape($0.name)): \(escape($0.text))\n" }.joined()
    }
    if let costs = PartCosts(entry.layers) {
      text += "\nMost costly (\(costs.title)): \(escape(costs.summary)).\n"
    }
    if let sha256 = entry.sha256 { text += "\nSHA-256 `\(code(sha256))`\n" }
    if let layers = entry.layerTable {
      let count = entry.layerCount
      text += "\n<details><summary>\(count)</summary>\n\n\(table(layers))\n</details>\n"
    }
    return text
  }

  private static func legend(_ report: RunReport) -> String {
    let columns = report.resultTable.columns.filter { !$0.summary.isEmpty }
    guard !columns.isEmpty else { return "" }
    return "\n" + columns.map { "- *\(escape($0.title))*: \(escape($0.summary))\n" }.joined()
  }

  static func table(_ table: ReportTable) -> String {
    let header = table.columns.map { " \(escape($0.title)) " }.joined(separator: "|")
    let rule = table.columns.map { $0.isNumeric ? "---:" : ":---" }.joined(separator: "|")
    let rows = table.rows.map { row in
      "|" + row.map { " \(escape($0)) " }.joined(separator: "|") + "|\n"
    }
    return "|\(header)|\n|\(rule)|\n" + rows.joined()
  }

  /// Text in which nothing is Markdown or HTML, on one line.
  static func escape(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n", "\r", "\t": result += " "
      case "<": result += "&lt;"
      case "&": result += "&amp;"
      case "\\", "`", "*", "_", "[", "]", "|", "#", "~", ">": result += "\\\(scalar)"
      case _ where scalar.properties.generalCategory == .control: continue
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  // Backticks would end the code, and a line break the line.
  private static func code(_ text: String) -> String {
    text.replacing("`", with: "'").replacing(/[\r\n]+/, with: " ")
  }

  private static func fenced(_ text: String, _ language: String) -> String {
    // The fence must be longer than any run of backticks inside.
    let longest = text.split { $0 != "`" }.map(\.count).max() ?? 0
    let fence = String(repeating: "`", count: max(3, longest + 1))
    return "\(fence)\(language)\n\(text)\(text.hasSuffix("\n") ? "" : "\n")\(fence)\n"
  }
}

extension String {
  var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
