import ArgumentParser
import Foundation
import Pipeline

/// The command `slm-compress`.
@main
struct SLMCompress: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "slm-compress",
    abstract: "Compresses language models by recipes.",
    discussion: """
      Examples:
        slm-compress describe                       what stages there are
        slm-compress plan recipes/demo.yaml
        slm-compress run recipes/demo.yaml

      Exit status: 0 done, 1 the run failed, 2 bad recipe, argument or input, 3 a gate failed.
      """,
    version: ToolVersion.current,
    subcommands: [
      RunCommand.self, PlanCommand.self, CheckCommand.self, DescribeCommand.self,
      ReportCommand.self,
      ConvertCommand.self, InspectCommand.self, EvaluateCommand.self, GenerateCommand.self,
      TokenizeCommand.self,
      LogitsCommand.self,
    ]
  )

  static func main() {
    // `slm-compress … | head` ends quietly, even where a parent process ignores the signal.
    signal(SIGPIPE, SIG_DFL)
    do {
      var command = try parseAsRoot()
      try command.run()
      // `print` keeps text back and does not tell whether it could be written.
      guard fflush(nil) == 0 else {
        let problem = String(cString: strerror(errno))
        throw RunError(.file, problem, at: "standard output", remedy: "make room")
      }
    } catch {
      finish(error)
    }
  }

  /// Ends the process with an error's status, after printing what the user can make use of.
  private static func finish(_ error: any Error) -> Never {
    switch error {
    case let problems as RecipeProblems:
      printToStandardError(problems.description)
      Foundation.exit(2)
    case let error as RunError:
      printToStandardError("error: \(error)")
      Foundation.exit(error.underlying.map(isAboutInput) == true ? 2 : 1)
    default: break
    }
    let status = exitCode(for: error)
    if status == .validationFailure {
      let message = fullMessage(for: error)
      let prefix = "Error: "
      printToStandardError(
        message.hasPrefix(prefix) ? "error: " + message.dropFirst(prefix.count) : message
      )
      Foundation.exit(2)
    }
    // Help and version are errors to the parser, which knows how to print them.
    if error is ExitCode || status == .success { exit(withError: error) }
    printToStandardError("error: \(RunError.text(error))")
    Foundation.exit(1)
  }
}
