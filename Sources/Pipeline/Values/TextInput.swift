public import Datasets

/// A text that a recipe reads: one that comes with the tool, or a file.
public enum TextInput: RecipeValue, Hashable {
  /// `builtin:calibration`, a text to collect activations on.
  case builtinCalibration
  /// `builtin:evaluation`, a text to measure on, with nothing in common with the other.
  case builtinEvaluation
  /// `builtin:stories`, as many short texts as are asked for, written as they are read.
  case stories(StorySelection)
  /// A UTF-8 text file, relative to the recipe's folder.
  case file(InputPath)

  private static let builtins: [String: TextInput] = [
    "builtin:calibration": .builtinCalibration, "builtin:evaluation": .builtinEvaluation,
  ]

  /// “a text file's path, or a built-in text”.
  public static var typeName: String {
    "a text file's path, or a built-in text such as `builtin:evaluation`"
  }

  /// Reads a name of a built-in text, or a path.
  public static func read(_ node: RecipeNode, _ reading: inout RecipeReading) -> TextInput? {
    guard let text = node.scalar, !text.isEmpty, !node.isNothing else {
      return reading.expected(typeName, node)
    }
    if let builtin = builtins[text] { return builtin }
    if let selection = StorySelection(text) { return .stories(selection) }
    if text.hasPrefix("builtin:") {
      return reading.expected(
        typeName,
        node,
        hint: Wording.didYouMean(text, builtins.keys.sorted())
      )
    }
    return InputPath.read(node, &reading).map { .file($0) }
  }

  /// The name or path as written.
  public var recipeNode: RecipeNode {
    switch self {
    case .builtinCalibration: .text("builtin:calibration")
    case .builtinEvaluation: .text("builtin:evaluation")
    case .stories(let selection): .text(selection.description)
    case .file(let path): path.recipeNode
    }
  }

  /// The text meant.
  public func source(_ paths: RecipePaths) -> TextSource {
    switch self {
    case .builtinCalibration: .builtinCalibration
    case .builtinEvaluation: .builtinEvaluation
    case .stories(let selection): .stories(selection)
    case .file(let path): .file(path.url(paths))
    }
  }
}
