public import Foundation
import Models

/// A recipe with the text it was read from.
public struct RecipeFile: Sendable {
  /// The recipe.
  public let recipe: Recipe
  /// The text as it stands in the file.
  public let text: String
  /// What messages call the file.
  public let name: String
  /// Where the recipe's paths start.
  public let paths: RecipePaths
  private let reading: RecipeReading

  /// Reads a recipe from a file.
  ///
  /// - Parameters:
  ///   - url: The file.
  ///   - name: What messages call it, such as the path as the user wrote it.
  ///   - overrides: Values to put in place of the file's.
  ///   - registry: The stages and metrics that the recipe can name.
  /// - Throws: ``RecipeProblems`` with everything that is wrong.
  public init(
    _ url: URL,
    shownAs name: String,
    overrides: [RecipeOverride] = [],
    registry: StageRegistry
  ) throws(RecipeProblems) {
    let bytes: Data
    do {
      bytes = try Data(contentsOf: url)
    } catch {
      let exists = FileManager.default.fileExists(atPath: url.path)
      throw RecipeProblems([
        RecipeProblem(
          exists
            ? "\(name): the file cannot be read"
            : "\(name): there is no such file",
          at: nil
        )
      ])
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw RecipeProblems([
        RecipeProblem("\(name): the file is not UTF-8 text", at: nil)
      ])
    }
    try self.init(
      text: text,
      name: name,
      folder: url.deletingLastPathComponent(),
      overrides: overrides,
      registry: registry
    )
  }

  /// Reads a recipe from its text.
  ///
  /// - Parameters:
  ///   - text: The recipe in YAML.
  ///   - name: What messages call the recipe.
  ///   - folder: Where its paths start.
  ///   - overrides: Values to put in place of the text's.
  ///   - registry: The stages and metrics that the recipe can name.
  /// - Throws: ``RecipeProblems`` with everything that is wrong.
  public init(
    text: String,
    name: String,
    folder: URL,
    overrides: [RecipeOverride] = [],
    registry: StageRegistry
  ) throws(RecipeProblems) {
    var node = try RecipeParser.parse(text, name: name)
    for override in overrides { try override.apply(to: &node) }
    var reading = RecipeReading(registry: registry)
    guard var recipe = Recipe.read(node, &reading), reading.problems.isEmpty else {
      throw RecipeProblems(reading.problems)
    }
    if recipe.name.isEmpty { recipe.name = Self.defaultName(name) }
    self.recipe = recipe
    self.text = text
    self.name = name
    self.paths = RecipePaths(recipeFolder: folder)
    self.reading = reading
  }

  /// A problem that was found after reading, at the place of the option it names.
  func problem(_ problem: StageProblem, under path: String) -> RecipeProblem {
    var keys = path.split(separator: ".") + (problem.option ?? "").split(separator: ".")
    // An option that is not written in the recipe is blamed on what it belongs to.
    while !keys.isEmpty {
      if let position = reading.positions[keys.joined(separator: ".")] {
        return RecipeProblem(problem.message, at: position)
      }
      keys.removeLast()
    }
    return RecipeProblem("\(name): \(problem.message)", at: nil)
  }

  /// A problem for every file the recipe names and that is not there, and for every model that
  /// cannot be opened; the recipe's own is left to the plan, which needs it opened.
  func inputProblems() -> [RecipeProblem] {
    reading.inputs.compactMap { input in
      switch input.source {
      case .path(let path):
        let url = paths.input(path)
        guard !FileManager.default.fileExists(atPath: url.path) else { return nil }
        return RecipeProblem(
          "there is no \(url.path)\(Self.relativeHint(path))",
          at: input.position
        )
      case .model(let model):
        guard input.key != "model" else { return nil }
        do {
          _ = try model.load(paths)
          return nil
        } catch {
          return RecipeProblem(
            "the model cannot be opened: \(RunError.text(error))",
            at: input.position
          )
        }
      }
    }
  }

  /// The files and models that a part of the recipe names.
  func inputs(under path: String) -> [URL] {
    reading.inputs.filter { $0.key == path || $0.key.hasPrefix(path + ".") }.map { input in
      switch input.source {
      case .path(let path): paths.input(path)
      // A name is looked up in the hub's cache; where nothing is found, there is nothing to digest.
      case .model(let model):
        (try? model.load(paths))?.companions.origin ?? URL(filePath: model.location(paths))
      }
    }
  }

  private static func relativeHint(_ path: String) -> String {
    path.hasPrefix("/") || path.hasPrefix("~")
      ? "" : "; paths start at the recipe's folder"
  }

  private static func defaultName(_ name: String) -> String {
    let file = name.split(separator: "/").last.map(String.init) ?? name
    let ending = [".yaml", ".yml"].first { file.lowercased().hasSuffix($0) }
    let allowed = file.dropLast(ending?.count ?? 0).unicodeScalars.map { scalar in
      scalar.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains(scalar)
        ? Character(scalar) : "-"
    }.drop { $0 == "." }
    return allowed.isEmpty ? "recipe" : String(allowed)
  }
}
