/// Some of the built-in stories.
///
/// - `builtin:stories`: the first 20 000, to train on.
/// - `builtin:stories:N`: the first `N`.
/// - `builtin:stories:validation`, `builtin:stories:validation:N`: the first 500, or `N`, of a
///   part that has no story in common with what is trained on.
public struct StorySelection: Sendable, Hashable, CustomStringConvertible {
  /// How many stories.
  public let count: Int
  /// Whether they are of the part that is set aside.
  public let isValidation: Bool

  static let name = "builtin:stories"
  static let defaultCount = 20_000
  static let defaultValidationCount = 500
  /// Where the part that is set aside starts; also the most stories that can be asked for.
  static let validationStart = 1 << 40

  /// Selects the first `count` stories of a part.
  ///
  /// - Precondition: `count` is from 1 to 2⁴⁰.
  public init(count: Int = 20_000, isValidation: Bool = false) {
    (self.count, self.isValidation) = (count, isValidation)
  }

  /// Reads the name of a selection; nil if it is not one.
  public init?(_ name: String) {
    guard name == Self.name || name.hasPrefix("\(Self.name):") else { return nil }
    var parts = name.dropFirst(Self.name.count).split(
      separator: ":",
      omittingEmptySubsequences: false
    ).dropFirst()
    let isValidation = parts.first == "validation"
    if isValidation { parts = parts.dropFirst() }
    guard let last = parts.first else {
      self.init(
        count: isValidation ? Self.defaultValidationCount : Self.defaultCount,
        isValidation: isValidation
      )
      return
    }
    guard parts.count == 1, let count = Int(last), count >= 1, count <= Self.validationStart,
      last.allSatisfy(\.isNumber)
    else { return nil }
    self.init(count: count, isValidation: isValidation)
  }

  /// The name, with the number of stories.
  public var description: String {
    "\(Self.name)\(isValidation ? ":validation" : ""):\(count)"
  }

  /// One of the stories.
  ///
  /// - Precondition: `index` is from 0 and below ``count``.
  public func story(_ index: Int) -> String {
    StoryGenerator(seed: 0).story(isValidation ? Self.validationStart + index : index)
  }

  /// All of them, written as they are asked for.
  var stories: some Sequence<String> { (0..<count).lazy.map(story) }
}
