/// The values an option may take, as an interval that may be open at either end.
public struct ValueRange<Value: RecipeValue & Comparable>: Sendable {
  let lower: Value?
  let includesLower: Bool
  let upper: Value?
  let includesUpper: Bool

  /// Whether a value lies in the interval.
  public func contains(_ value: Value) -> Bool {
    if let lower, includesLower ? value < lower : value <= lower { return false }
    if let upper, includesUpper ? value > upper : value >= upper { return false }
    return true
  }

  /// The interval in words, such as “at least 0 and less than 1”.
  public var description: String {
    if let lower, let upper, includesLower, includesUpper {
      return "between \(Self.text(lower)) and \(Self.text(upper))"
    }
    var parts: [String] = []
    if let lower { parts.append((includesLower ? "at least " : "more than ") + Self.text(lower)) }
    if let upper { parts.append((includesUpper ? "at most " : "less than ") + Self.text(upper)) }
    return parts.joined(separator: " and ")
  }

  private static func text(_ value: Value) -> String {
    value.recipeNode.scalar ?? "\(value)"
  }
}

/// An interval that can bound an option: `0..<1`, `2...8`, `1...`, `...1` or `.above(0)`.
public protocol OptionRange<Bound>: Sendable {
  /// The type of the values.
  associatedtype Bound: RecipeValue & Comparable
  /// The interval with its ends spelled out.
  var valueRange: ValueRange<Bound> { get }
}

extension ValueRange: OptionRange {
  /// The interval itself.
  public var valueRange: ValueRange<Value> { self }
}

extension OptionRange {
  /// The values greater than a bound, which is not among them.
  public static func above<Value>(_ lower: Value) -> Self where Self == ValueRange<Value> {
    ValueRange(lower: lower, includesLower: false, upper: nil, includesUpper: false)
  }

  /// The values between two bounds, of which only the upper one is among them.
  public static func above<Value>(_ lower: Value, through upper: Value) -> Self
  where Self == ValueRange<Value> {
    ValueRange(lower: lower, includesLower: false, upper: upper, includesUpper: true)
  }

  /// The values strictly between two bounds.
  public static func between<Value>(_ lower: Value, _ upper: Value) -> Self
  where Self == ValueRange<Value> {
    ValueRange(lower: lower, includesLower: false, upper: upper, includesUpper: false)
  }
}

extension Range: OptionRange where Bound: RecipeValue {
  /// The interval without its upper bound.
  public var valueRange: ValueRange<Bound> {
    ValueRange(lower: lowerBound, includesLower: true, upper: upperBound, includesUpper: false)
  }
}

extension ClosedRange: OptionRange where Bound: RecipeValue {
  /// The interval with both bounds.
  public var valueRange: ValueRange<Bound> {
    ValueRange(lower: lowerBound, includesLower: true, upper: upperBound, includesUpper: true)
  }
}

extension PartialRangeFrom: OptionRange where Bound: RecipeValue {
  /// The interval from a bound up.
  public var valueRange: ValueRange<Bound> {
    ValueRange(lower: lowerBound, includesLower: true, upper: nil, includesUpper: false)
  }
}

extension PartialRangeThrough: OptionRange where Bound: RecipeValue {
  /// The interval up to a bound.
  public var valueRange: ValueRange<Bound> {
    ValueRange(lower: nil, includesLower: false, upper: upperBound, includesUpper: true)
  }
}
