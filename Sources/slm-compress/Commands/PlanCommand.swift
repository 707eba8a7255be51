import ArgumentParser
import Foundation
import Pipeline
import Reports

/// `slm-compress plan`: what a recipe will do and need, before anything runs.
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Shows what a recipe will do: what patterns match, sizes, memory, time.",
    discussion: """
      Everything is estimated from the headers of the model's files. Times are rough, for a \
      machine with two cores.

      Examples:
        slm-compress plan recipes/demo.yaml
        slm-compress plan recipe.yaml --set stages.0.bits=8

      Exit status: 0 the recipe can run, 2 it cannot.
      """
  )

  @ArgumentParser.OptionGroup var arguments: RecipeArguments

  func run() throws {
    let file = try arguments.read()
    let plan = try file.plan(evaluator: Toolbox.evaluator)
    print(PlanText.render(plan, name: file.recipe.name), terminator: "")
  }
}
