internal import Foundation
public import Pipeline

/// How many of something: a count, or a fraction of all there are.
///
/// In a recipe `5` is a count, `0.25` or `25%` a fraction.
public enum Amount: RecipeText, Hashable {
  /// A number of them, from 1.
  case count(Int)
  /// A fraction of all, greater than 0 and less than 1.
  case fraction(Double)

  /// “a count such as `5`, or a fraction such as `0.25`”.
  public static var typeName: String { "a count such as `5`, or a fraction such as `0.25`" }

  /// Reads a whole number from 1, a number between 0 and 1, or a percentage.
  public init?(recipeText: String) {
    if let count = Int(recipeText) {
      guard count > 0 else { return nil }
      self = .count(count)
      return
    }
    let isPercentage = recipeText.hasSuffix("%")
    guard let number = Double(isPercentage ? String(recipeText.dropLast()) : recipeText) else {
      return nil
    }
    let fraction = isPercentage ? number / 100 : number
    guard fraction > 0, fraction < 1 else { return nil }
    self = .fraction(fraction)
  }

  /// The count or the fraction.
  public var recipeText: String {
    switch self {
    case .count(let count): "\(count)"
    case .fraction(let fraction): "\(fraction)"
    }
  }

  /// How many of `total` are meant: a fraction is rounded to the nearest multiple.
  ///
  /// - Parameters:
  ///   - total: How many there are.
  ///   - multiple: What the result of a fraction is a multiple of.
  /// - Returns: The number, at least `multiple` for a fraction; a count is returned as it is.
  func resolved(of total: Int, multiple: Int = 1) -> Int {
    switch self {
    case .count(let count): return count
    case .fraction(let fraction):
      let steps = (fraction * Double(total) / Double(multiple)).rounded()
      return max(multiple, Int(steps) * multiple)
    }
  }
}

/// A number of weights, written as `90M`, `1.5B` or `900_000`.
public struct ParameterCount: RecipeText, Hashable, Comparable {
  /// The number.
  public var count: Int

  /// Creates a number of weights.
  public init(_ count: Int) { self.count = count }

  /// “a number of weights such as `90M`”.
  public static var typeName: String { "a number of weights such as `90M`" }

  private static let units: [(name: String, factor: Int)] = [
    ("B", 1_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000), ("K", 1_000),
  ]

  /// Reads a number from 1, alone or with the unit `k`, `M` or `B`.
  public init?(recipeText: String) {
    let unit = Self.units.first { recipeText.hasSuffix($0.name) }
    let digits = recipeText.dropLast(unit?.name.count ?? 0).filter { $0 != "_" }
    guard digits.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
      let number = Double(digits)
    else { return nil }
    let product = number * Double(unit?.factor ?? 1)
    guard product >= 1, product < 1e15 else { return nil }
    count = Int(product.rounded())
  }

  /// The number in the largest unit that divides it.
  public var recipeText: String {
    for unit in Self.units where count.isMultiple(of: unit.factor) && unit.name != "G" {
      return "\(count / unit.factor)\(unit.name)"
    }
    return "\(count)"
  }

  /// Whether one number is smaller.
  public static func < (left: ParameterCount, right: ParameterCount) -> Bool {
    left.count < right.count
  }
}
