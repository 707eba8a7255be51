import ArgumentParser
import Foundation
import Pipeline

/// A recipe and the values put in place of its own, as several commands take them.
struct RecipeArguments: ParsableArguments {
  @Argument(help: "The recipe file.", completion: .file(extensions: ["yaml", "yml"]))
  var recipe: String

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp(
      "Put a value in place of the recipe's; may be repeated.",
      discussion: "For example --set seed=7 --set stages.0.bits=8 --set gates.size.at_most=90MiB.",
      valueName: "key=value"
    )
  )
  var overrides: [String] = []

  /// Reads the recipe with the overrides applied.
  func read() throws -> RecipeFile {
    let overrides = try overrides.map { text in try RecipeOverride(text) }
    return try RecipeFile(
      URL(filePath: recipe, relativeTo: nil),
      shownAs: recipe,
      overrides: overrides,
      registry: Toolbox.registry
    )
  }
}
