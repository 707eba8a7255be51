/// Values by key, in the order the keys were added.
public struct TemplateDictionary: Sendable {
  private(set) var table = OrderedTable<TemplateValue>()

  /// Creates an empty dictionary.
  public init() {}

  /// The keys, in order.
  public var keys: [String] { table.keys }

  /// The number of keys.
  public var count: Int { table.keys.count }

  /// The value of a key.
  ///
  /// Setting a value keeps the place of a key that is present and adds others at the end; setting
  /// nil removes the key.
  ///
  /// - Parameter key: The key, compared by code points.
  public subscript(_ key: String) -> TemplateValue? {
    get { table[key] }
    set {
      if let newValue { table.set(key, newValue) } else { table.remove(key) }
    }
  }
}

extension TemplateDictionary: Equatable {
  /// Whether both have the same keys and values, in whatever order, as Python compares them.
  ///
  /// - Parameters:
  ///   - left: A dictionary.
  ///   - right: Another.
  /// - Returns: Whether they are equal.
  public static func == (left: TemplateDictionary, right: TemplateDictionary) -> Bool {
    left.count == right.count && left.keys.allSatisfy { left[$0] == right[$0] }
  }
}

/// The table behind dictionaries: keys in order of insertion, found by hash.
struct OrderedTable<Element> {
  /// A key that equals another only if their code points are the same.
  private struct Key: Hashable {
    let bytes: [UInt8]
  }

  private(set) var keys: [String] = []
  private(set) var values: [Element] = []
  private var places: [Key: Int] = [:]

  init() {}

  subscript(_ key: String) -> Element? {
    places[Key(bytes: Array(key.utf8))].map { values[$0] }
  }

  mutating func set(_ key: String, _ value: Element) {
    let found = Key(bytes: Array(key.utf8))
    if let place = places[found] {
      values[place] = value
      return
    }
    places[found] = keys.count
    keys.append(key)
    values.append(value)
  }

  mutating func remove(_ key: String) {
    guard let place = places.removeValue(forKey: Key(bytes: Array(key.utf8))) else { return }
    keys.remove(at: place)
    values.remove(at: place)
    for (key, other) in places where other > place { places[key] = other - 1 }
  }
}

extension OrderedTable: Sendable where Element: Sendable {}
