import ArgumentParser
import Foundation
import Pipeline
import Reports

/// `slm-compress run`: runs a recipe, or goes on with it.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs a recipe: compresses, exports, measures, reports.",
    discussion: """
      Everything is written to one directory, runs/NAME by default. A run can be stopped at any \
      moment; the same command goes on with the first stage that is not done.

      Examples:
        slm-compress run recipes/demo.yaml
        slm-compress run recipe.yaml --set stages.0.bits=8 --output runs/8-bit
        slm-compress run recipe.yaml --json > events.jsonl

      Exit status: 0 done, 1 the run failed, 2 the recipe cannot run, 3 a gate failed, \
      130 interrupted, 143 ended by a signal.
      """
  )

  @ArgumentParser.OptionGroup var arguments: RecipeArguments

  @Option(
    name: [.short, .long],
    help: "Where the run's files go. By default runs/NAME.",
    completion: .directory
  )
  var output: String?

  @Flag(help: "Print what happens as one line of JSON per event.")
  var json = false

  @Flag(name: [.short, .long], help: "Print warnings and errors only.")
  var quiet = false

  func validate() throws {
    if json && quiet { throw ValidationError("--json and --quiet exclude each other.") }
  }

  func run() throws {
    let file = try arguments.read()
    _ = try file.plan(evaluator: Toolbox.evaluator)
    let path = output ?? "runs/\(file.recipe.name)"
    let directory = RunDirectory(URL(filePath: path))
    let progress = TerminalProgress(json ? .json : quiet ? .quiet : .standard)
    Interruption.explain()
    let runner = PipelineRunner(
      file,
      in: directory,
      registry: Toolbox.registry,
      evaluator: Toolbox.evaluator,
      listener: progress
    )
    defer { progress.finish() }
    let report = try runner.run(render: ReportFiles.write)
    progress.finish()
    if json {
      try progress.report(report, at: "\(path)/report.json")
    } else if !quiet {
      print("\n" + TerminalReport.render(report), terminator: "")
      print("\nreport: \(path)/report.html")
    }
    try explainGates(report)
  }

  private func explainGates(_ report: RunReport) throws {
    guard !report.passed else { return }
    for gate in report.gates where !gate.passed {
      let value = gate.value.flatMap { value in
        report.metrics.first { $0.name == gate.metric }?.text(value)
      }
      printToStandardError(
        "gate failed: \(gate.metric) of \(gate.of) is \(value ?? "not measured"), "
          + "not \(gate.bound)"
      )
    }
    throw ExitCode(3)
  }
}
