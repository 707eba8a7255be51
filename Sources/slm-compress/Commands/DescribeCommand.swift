import ArgumentParser
import Foundation
import Pipeline

/// `slm-compress describe`: what stages there are and what their options mean.
struct DescribeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Lists the stages of recipes, or one stage's options with types and defaults.",
    discussion: """
      Examples:
        slm-compress describe
        slm-compress describe quantize.round_to_nearest
        slm-compress describe recipe
        slm-compress describe --markdown > docs/stages.md

      Exit status: 0 described, 2 no such stage.
      """
  )

  @Argument(help: "The stage, or `recipe` for the keys of a recipe itself.")
  var stage: String?

  @Flag(help: "Print everything as Markdown, as docs/stages.md has it.")
  var markdown = false

  func run() throws {
    if markdown {
      print(StageReference.markdown(Toolbox.registry), terminator: "")
    } else if let stage {
      guard let text = StageReference.text(stage, Toolbox.registry) else {
        let kinds = Toolbox.registry.stages.map { $0.kind } + ["recipe"]
        let hint = Wording.didYouMean(stage, kinds, orList: "there are")
        printToStandardError("error: there is no stage `\(Wording.excerpt(stage))`\(hint)")
        throw ExitCode(2)
      }
      print(text, terminator: "")
    } else {
      print(StageReference.overview(Toolbox.registry), terminator: "")
    }
  }
}
