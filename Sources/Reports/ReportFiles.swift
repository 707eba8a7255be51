public import Foundation
public import Pipeline

/// The forms of a report that are written beside report.json.
public enum ReportFiles {
  /// Writes report.md, report.html and report.xml, each under a temporary name first.
  public static func write(_ report: RunReport, to directory: URL) throws {
    let files = [
      ("report.md", MarkdownReport.render(report)),
      ("report.html", try HTMLReport.render(report)),
      ("report.xml", JUnitReport.render(report)),
    ]
    for (name, text) in files {
      try Data(text.utf8).write(to: directory.appending(path: name), options: .atomic)
    }
  }
}
