/// The keys and values of a GGUF file, in the order of the file.
///
/// ```swift
/// let width = try metadata.integer("llama.embedding_length")
/// var copy = metadata
/// copy["general.name"] = .string("SmolLM2 135M, 4 bit")
/// ```
public struct GGUFMetadata: Sendable {
  /// The keys in order.
  public private(set) var keys: [String] = []
  private var values: [String: GGUFValue] = [:]
  /// Where the metadata come from, for errors.
  var path = "metadata"

  /// Creates metadata without keys.
  public init() {}

  /// The number of keys.
  public var count: Int { keys.count }

  /// The value of a key.
  ///
  /// Setting adds new keys at the end; setting nil removes the key.
  public subscript(key: String) -> GGUFValue? {
    get { values[key] }
    set {
      if newValue == nil {
        if values[key] != nil { keys.removeAll { $0 == key } }
      } else if values[key] == nil {
        keys.append(key)
      }
      values[key] = newValue
    }
  }

  /// Returns the value of a key that must be there.
  ///
  /// - Throws: ``CheckpointError`` with code `missingKey`.
  public func value(_ key: String) throws(CheckpointError) -> GGUFValue {
    guard let value = values[key] else {
      let names = key.nearestMatches(in: keys)
      let nearest = names.isEmpty ? "" : "; nearest: \(names.joined(separator: ", "))"
      throw CheckpointError(
        .missingKey,
        "there is no metadata key '\(key)'\(nearest)",
        file: path,
        name: key
      )
    }
    return value
  }

  /// Returns an integer of any width.
  ///
  /// - Throws: ``CheckpointError`` with code `missingKey` or `wrongType`.
  public func integer(_ key: String) throws(CheckpointError) -> Int {
    try convert(key, to: "an integer", \.integer)
  }

  /// Returns a number of any type.
  ///
  /// - Throws: ``CheckpointError`` with code `missingKey` or `wrongType`.
  public func real(_ key: String) throws(CheckpointError) -> Double {
    try convert(key, to: "a number", \.real)
  }

  /// Returns a truth value.
  ///
  /// - Throws: ``CheckpointError`` with code `missingKey` or `wrongType`.
  public func bool(_ key: String) throws(CheckpointError) -> Bool {
    try convert(key, to: "a truth value", \.bool)
  }

  /// Returns a text.
  ///
  /// - Throws: ``CheckpointError`` with code `missingKey` or `wrongType`.
  public func string(_ key: String) throws(CheckpointError) -> String {
    try convert(key, to: "text", \.string)
  }

  /// Returns an array of texts.
  ///
  /// - Throws: ``CheckpointError`` with code `missingKey` or `wrongType`.
  /// - Complexity: O(bytes of all elements), at every call.
  public func strings(_ key: String) throws(CheckpointError) -> [String] {
    try convert(key, to: "an array of UTF-8 texts", \.array?.strings)
  }

  /// Returns an array of integers of any width.
  ///
  /// - Throws: ``CheckpointError`` with code `missingKey` or `wrongType`.
  public func integers(_ key: String) throws(CheckpointError) -> [Int] {
    try convert(key, to: "an array of integers", \.array?.integers)
  }

  /// Returns an array of numbers of any type.
  ///
  /// - Throws: ``CheckpointError`` with code `missingKey` or `wrongType`.
  public func reals(_ key: String) throws(CheckpointError) -> [Double] {
    try convert(key, to: "an array of numbers", \.array?.reals)
  }

  private func convert<Result>(
    _ key: String,
    to expected: String,
    _ property: (GGUFValue) -> Result?
  ) throws(CheckpointError) -> Result {
    let value = try value(key)
    guard let result = property(value) else {
      let found = value.array.map { "an array of \($0.kind)" } ?? "\(value.kind)"
      throw CheckpointError(
        .wrongType,
        "metadata key '\(key)' is not \(expected) but \(found)",
        file: path,
        name: key
      )
    }
    return result
  }
}

extension GGUFMetadata: ExpressibleByDictionaryLiteral {
  /// Creates metadata; of equal keys the last value counts.
  public init(dictionaryLiteral elements: (String, GGUFValue)...) {
    for (key, value) in elements { self[key] = value }
  }
}

extension GGUFMetadata: Equatable {
  /// Whether both have the same keys in the same order, with the same values.
  public static func == (a: GGUFMetadata, b: GGUFMetadata) -> Bool {
    a.keys == b.keys && a.values == b.values
  }
}
