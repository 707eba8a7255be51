/// A value inside a ``JSONDocument`` that knows its path, so that every error can name it.
struct JSONValue {
  let document: JSONDocument
  let index: Int
  let path: String

  private var node: JSONDocument.Node { document.nodes[index] }

  var kind: JSONDocument.Kind { node.kind }
  var isNull: Bool { node.kind == .null }
  var location: TokenizerError.Location { .init(source: document.source, path: path) }

  func failure(
    _ code: TokenizerError.Code,
    _ problem: String,
    remedy: String = Self.defaultRemedy
  ) -> TokenizerError {
    TokenizerError(code, at: location, problem, remedy: remedy)
  }

  static let defaultRemedy = "check the file against the model's published tokenizer.json"

  private func wrongType(_ expected: String) -> TokenizerError {
    failure(.wrongType, "expected \(expected)")
  }

  // MARK: Scalars

  func string() throws(TokenizerError) -> String {
    guard node.kind == .string else { throw wrongType("a string") }
    return document.string(at: index)
  }

  func bytes() throws(TokenizerError) -> [UInt8] {
    guard node.kind == .string else { throw wrongType("a string") }
    return document.withBytes(at: index) { Array($0) }
  }

  func bool() throws(TokenizerError) -> Bool {
    switch node.kind {
    case .true: return true
    case .false: return false
    default: throw wrongType("true or false")
    }
  }

  func number() throws(TokenizerError) -> Double {
    guard node.kind == .number, let value = Double(document.string(at: index)), value.isFinite
    else { throw wrongType("a number") }
    return value
  }

  /// A count or an id: a whole number from 0 that fits an `Int32`.
  func integer() throws(TokenizerError) -> Int {
    guard node.kind == .number, let value = Int32(document.string(at: index)), value >= 0 else {
      throw wrongType("a whole number from 0 to \(Int32.max)")
    }
    return Int(value)
  }

  /// A string of exactly one Unicode scalar.
  func scalar() throws(TokenizerError) -> Unicode.Scalar {
    let scalars = try string().unicodeScalars
    guard let scalar = scalars.first, scalars.count == 1 else { throw wrongType("one character") }
    return scalar
  }

  // MARK: Containers

  func elements() throws(TokenizerError) -> [JSONValue] {
    guard node.kind == .array else { throw wrongType("an array") }
    var result: [JSONValue] = []
    result.reserveCapacity(node.count)
    var child = index + 1
    while child < node.end {
      result.append(.init(document: document, index: child, path: "\(path)[\(result.count)]"))
      child = document.nodes[child].end
    }
    return result
  }

  func members() throws(TokenizerError) -> [(key: String, value: JSONValue)] {
    guard node.kind == .object else { throw wrongType("an object") }
    var result: [(key: String, value: JSONValue)] = []
    var child = index + 1
    while child < node.end {
      let key = document.string(at: child)
      let childPath = path.isEmpty ? key : "\(path).\(key)"
      result.append((key, .init(document: document, index: child + 1, path: childPath)))
      child = document.nodes[child + 1].end
    }
    return result
  }

  /// The indices of an array's elements, or of an object's keys (each value follows its key).
  ///
  /// Used for vocabularies and merges, where a path per element would cost more than the rest.
  func childIndices(_ expected: JSONDocument.Kind) throws(TokenizerError) -> [Int] {
    guard node.kind == expected else {
      throw wrongType(expected == .array ? "an array" : "an object")
    }
    var result: [Int] = []
    result.reserveCapacity(node.count)
    var child = index + 1
    while child < node.end {
      result.append(child)
      child = document.nodes[expected == .object ? child + 1 : child].end
    }
    return result
  }

  /// The value of `key`, or nil if it is absent.
  subscript(_ key: String) -> JSONValue? {
    get throws(TokenizerError) {
      guard node.kind == .object else { throw wrongType("an object") }
      var child = index + 1
      while child < node.end {
        if document.string(at: child) == key {
          let childPath = path.isEmpty ? key : "\(path).\(key)"
          return .init(document: document, index: child + 1, path: childPath)
        }
        child = document.nodes[child + 1].end
      }
      return nil
    }
  }

  /// The value of `key`, or nil if it is absent or null.
  func optional(_ key: String) throws(TokenizerError) -> JSONValue? {
    guard let value = try self[key], !value.isNull else { return nil }
    return value
  }

  func required(_ key: String) throws(TokenizerError) -> JSONValue {
    guard let value = try self[key] else {
      throw failure(.missingValue, "'\(key)' is missing")
    }
    return value
  }

  /// Throws for the first key that is not one of `keys`, or that occurs twice.
  func allow(_ keys: [String]) throws(TokenizerError) {
    var seen: Set<String> = []
    for (key, value) in try members() {
      guard keys.contains(key) else {
        throw value.failure(
          .unsupported,
          "'\(key)' is not an option this library knows",
          remedy: "known options: \(keys.joined(separator: ", "))"
        )
      }
      guard seen.insert(key).inserted else {
        throw value.failure(.invalidValue, "'\(key)' occurs twice")
      }
    }
  }
}
