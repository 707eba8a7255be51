public import Foundation

/// A value that a chat template can see: a message, a tool, a variable.
///
/// Strings are equal if their code points are, as in Python; canonical equivalence, which `String`
/// goes by, plays no part.
public enum TemplateValue: Sendable {
  /// Python's `None`.
  case none
  /// `true` or `false`.
  case boolean(Bool)
  /// A whole number.
  case integer(Int)
  /// A floating-point number.
  case number(Double)
  /// A text.
  case string(String)
  /// Values in order.
  case list([TemplateValue])
  /// Values by key, in the order the keys were added.
  case dictionary(TemplateDictionary)
  /// What a name without a value stands for; printed as nothing.
  case undefined
}

extension TemplateValue: Equatable {
  /// Whether two values are of the same case and hold the same.
  ///
  /// - Parameters:
  ///   - left: A value.
  ///   - right: Another.
  /// - Returns: Whether they are equal; strings by code points.
  public static func == (left: TemplateValue, right: TemplateValue) -> Bool {
    switch (left, right) {
    case (.none, .none), (.undefined, .undefined): true
    case (.boolean(let left), .boolean(let right)): left == right
    case (.integer(let left), .integer(let right)): left == right
    case (.number(let left), .number(let right)): left == right
    case (.string(let left), .string(let right)): left.hasSameCodePoints(as: right)
    case (.list(let left), .list(let right)): left == right
    case (.dictionary(let left), .dictionary(let right)): left == right
    default: false
    }
  }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// Creates a text.
  ///
  /// - Parameter value: The text.
  public init(stringLiteral value: String) { self = .string(value) }

  /// Creates a truth value.
  ///
  /// - Parameter value: The truth value.
  public init(booleanLiteral value: Bool) { self = .boolean(value) }

  /// Creates a whole number.
  ///
  /// - Parameter value: The number.
  public init(integerLiteral value: Int) { self = .integer(value) }

  /// Creates a floating-point number.
  ///
  /// - Parameter value: The number.
  public init(floatLiteral value: Double) { self = .number(value) }

  /// Creates a list.
  ///
  /// - Parameter elements: The values in order.
  public init(arrayLiteral elements: TemplateValue...) { self = .list(elements) }

  /// Creates a dictionary; the last of two equal keys counts.
  ///
  /// - Parameter elements: The keys and values in order.
  public init(dictionaryLiteral elements: (String, TemplateValue)...) {
    var dictionary = TemplateDictionary()
    for (key, value) in elements { dictionary[key] = value }
    self = .dictionary(dictionary)
  }
}

extension TemplateValue {
  /// Reads a JSON text, keeping the order of keys, as Python's `json.loads` does.
  ///
  /// - Parameters:
  ///   - data: The text, UTF-8.
  ///   - source: Where it comes from, for errors.
  /// - Throws: ``TokenizerError`` if it is not JSON or holds a whole number beyond 64 bits.
  public init(json data: Data, source: String) throws(TokenizerError) {
    self = try Self.read(try JSONDocument(Array(data), source: source).root)
  }

  // Recursion is bounded by the parser's limit on nesting.
  private static func read(_ json: JSONValue) throws(TokenizerError) -> TemplateValue {
    switch json.kind {
    case .null: return .none
    case .true: return true
    case .false: return false
    case .string: return .string(try json.string())
    case .number:
      let digits = json.document.string(at: json.index)
      if digits.utf8.contains(where: { ".eE".utf8.contains($0) }) {
        return .number(try json.number())
      }
      guard let value = Int(digits) else {
        throw json.failure(
          .tooLarge,
          "the whole number \(digits) does not fit 64 bits",
          remedy: "write it as a string"
        )
      }
      return .integer(value)
    case .array:
      var elements: [TemplateValue] = []
      for element in try json.elements() { elements.append(try read(element)) }
      return .list(elements)
    case .object:
      var dictionary = TemplateDictionary()
      for (key, value) in try json.members() { dictionary[key] = try read(value) }
      return .dictionary(dictionary)
    }
  }
}

extension String {
  /// Whether both are the same code points; `==` would also accept canonical equivalents.
  func hasSameCodePoints(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}
