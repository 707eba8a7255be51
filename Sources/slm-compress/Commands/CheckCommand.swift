import ArgumentParser
import Foundation
import Pipeline

/// `slm-compress check`: finds what is wrong with recipes before anything runs.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Checks recipes: every option, file and stage, without running anything.",
    discussion: """
      Reads the headers of models only. Every problem is reported, with its line and column.

      Examples:
        slm-compress check recipes/*.yaml
        slm-compress check --syntax-only recipes/*.yaml     before the models are there

      Exit status: 0 all recipes can run, 2 one or more cannot.
      """
  )

  @Argument(help: "The recipe files.", completion: .file(extensions: ["yaml", "yml"]))
  var recipes: [String]

  @Flag(help: "Read the recipes only, without looking for the models and files they name.")
  var syntaxOnly = false

  func run() throws {
    var failures = 0
    for recipe in recipes {
      do throws(RecipeProblems) {
        let file = try RecipeFile(
          URL(filePath: recipe),
          shownAs: recipe,
          registry: Toolbox.registry
        )
        if !syntaxOnly {
          let plan = try file.plan(evaluator: Toolbox.evaluator)
          for warning in plan.warnings {
            printToStandardError(warning.described(as: "warning"))
          }
        }
        let count = file.recipe.stages.count
        print("\(recipe): ok, \(Wording.count(count, "stage", "stages"))")
      } catch {
        printToStandardError(error.description)
        failures += 1
      }
    }
    if failures > 0 { throw ExitCode(2) }
  }
}
