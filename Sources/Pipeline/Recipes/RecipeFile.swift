public import Foundation

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

  /// A problem for every file the recipe names and that is not there.
  func missingInputs() -> [RecipeProblem] {
    reading.inputs.compactMap { input in
      let url = paths.input(input.path)
      guard !FileManager.default.fileExists(atPath: url.path) else { return nil }
      return RecipeProblem(
        "there is no \(url.path)\(Self.relativeHint(input.path))",
        at: input.position
      )
    }
  }

  /// The files that a part of the recipe names.
  func inputs(under path: String) -> [URL] {
    reading.inputs.filter { $0.key == path || $0.key.hasPrefix(path + ".") }.map {
      paths.input($0.path)
    }
  }

  private static func relativeHint(_ path: String) -> String {
    path.hasPrefix("/") || path.hasPrefix("~")
      ? "" : "; paths start at the recipe's folder"
  }

  private static func defaultName(_ name: String) -> String {
    let file = name.split(separator: "/").last.map(String.init) ?? name
    let stem = file.split(separator: ".", maxSplits: 1).first.map(String.init) ?? file
    let allowed = stem.unicodeScalars.map { scalar in
      scalar.properties.isAlphabetic || "0123456789-_".unicodeScalars.contains(scalar)
        ? Character(scalar) : "-"
    }
    return allowed.isEmpty ? "recipe" : String(allowed)
  }
}
