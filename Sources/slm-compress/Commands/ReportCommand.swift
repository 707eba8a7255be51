import ArgumentParser
import Foundation
import Pipeline
import Reports

/// `slm-compress report`: a finished run's report in another form.
struct ReportCommand: ParsableCommand {
  /// What a report can be printed as.
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case table, markdown, html, junit
  }

  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Prints a finished run's report as a table, Markdown, HTML or JUnit XML.",
    discussion: """
      Examples:
        slm-compress report runs/demo
        slm-compress report runs/int4/report.json --format markdown >> summary.md

      Exit status: 0 printed, 2 there is no report.
      """
  )

  @Argument(help: ArgumentHelp("A run directory, or a report.json.", valueName: "run"))
  var path: String

  @Option(help: "table, markdown, html or junit.")
  var format = Format.table

  func run() throws {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    let file = isFolder.boolValue ? path + "/report.json" : path
    guard let data = FileManager.default.contents(atPath: file) else {
      throw argumentError("there is no file \(file)", "name a run directory or its report.json")
    }
    let report: RunReport
    do {
      report = try RunReport(json: data, name: file)
    } catch {
      printToStandardError("error: \(error)")
      throw ExitCode(2)
    }
    let text =
      switch format {
      case .table: TerminalReport.render(report)
      case .markdown: MarkdownReport.render(report)
      case .html: try HTMLReport.render(report)
      case .junit: JUnitReport.render(report)
      }
    print(text, terminator: "")
  }
}
