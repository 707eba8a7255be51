public import Pipeline

/// How many neighbouring columns of a row share a scale.
public enum GroupSize: RecipeText, Hashable {
  /// All columns of the row.
  case channel
  /// A number of columns.
  case columns(Int)

  /// “a number of columns or `channel`”.
  public static var typeName: String { "a number of columns or `channel`" }

  /// Reads a number from 1 to 65536, or `channel`.
  public init?(recipeText: String) {
    if recipeText == "channel" {
      self = .channel
    } else if let count = Int(recipeText), (1...65_536).contains(count) {
      self = .columns(count)
    } else {
      return nil
    }
  }

  /// The number, or `channel`.
  public var recipeText: String {
    switch self {
    case .channel: "channel"
    case .columns(let count): "\(count)"
    }
  }

  /// The number as `GroupFormat` has it: nil for all columns of the row.
  public var count: Int? {
    if case .columns(let count) = self { count } else { nil }
  }
}
