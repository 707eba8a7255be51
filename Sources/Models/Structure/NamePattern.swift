/// A pattern over the names of a model's parts, such as `model.layers.*.mlp.*`.
///
/// `*` stands for any characters, dots included, `?` for one, and `{a,b}` for either of `a` and
/// `b`. Everything else stands for itself.
///
/// ```swift
/// let pattern = NamePattern("model.layers.*.mlp.{gate,up}_proj")
/// pattern.matches("model.layers.3.mlp.up_proj")    // true
/// ```
public struct NamePattern: Sendable, Hashable, CustomStringConvertible {
  /// The pattern as written.
  public let text: String
  /// The pattern with its braces multiplied out.
  private let alternatives: [[UInt8]]

  /// How many patterns the braces of one may stand for.
  static let alternativeLimit = 256

  /// Creates a pattern.
  public init(_ text: String) {
    self.text = text
    self.alternatives = Self.expanded(Array(text.utf8))
  }

  /// The pattern as written.
  public var description: String { text }

  /// Whether the whole of `name` fits.
  ///
  /// - Complexity: O(name · pattern).
  public func matches(_ name: String) -> Bool {
    let name = Array(name.utf8)
    return alternatives.contains { Self.matches(name, $0) }
  }

  private static func matches(_ name: [UInt8], _ pattern: [UInt8]) -> Bool {
    let (star, any) = (UInt8(ascii: "*"), UInt8(ascii: "?"))
    var (i, j) = (0, 0)
    var retry: (name: Int, pattern: Int)?
    while i < name.count {
      if j < pattern.count && pattern[j] == star {
        retry = (i, j + 1)
        j += 1
      } else if j < pattern.count && (pattern[j] == name[i] || pattern[j] == any) {
        i += 1
        j += 1
      } else if let last = retry {
        retry = (last.name + 1, last.pattern)
        (i, j) = (last.name + 1, last.pattern)
      } else {
        return false
      }
    }
    return pattern[j...].allSatisfy { $0 == star }
  }

  private static func expanded(_ pattern: [UInt8]) -> [[UInt8]] {
    var pending = [pattern]
    var done: [[UInt8]] = []
    while let next = pending.popLast() {
      guard let close = next.firstIndex(of: UInt8(ascii: "}")),
        let open = next[..<close].lastIndex(of: UInt8(ascii: "{")),
        pending.count + done.count < alternativeLimit
      else {
        done.append(next)
        continue
      }
      let choices = next[(open + 1)..<close].split(
        separator: UInt8(ascii: ","),
        omittingEmptySubsequences: false
      )
      for choice in choices {
        pending.append(Array(next[..<open]) + Array(choice) + Array(next[(close + 1)...]))
      }
    }
    return done
  }
}

extension NamePattern {
  /// The names nearest to the pattern, with layer numbers as `*`, for an error's suggestion.
  ///
  /// - Complexity: O(distinct names · name · pattern).
  public func nearest(among names: some Sequence<String>, count: Int = 3) -> [String] {
    let general = Set(
      names.map { name in
        name.split(separator: ".").map { Int($0) == nil ? String($0) : "*" }.joined(separator: ".")
      }
    )
    let ranked = general.map { (name: $0, distance: editDistance(text, $0)) }
    return ranked.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(count)
      .map(\.name)
  }
}

/// The least number of insertions, deletions and replacements of bytes from one text to another.
///
/// - Complexity: O(a · b) time, O(b) memory.
package func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b.utf8)
  var row = Array(0...b.count)
  for (i, x) in a.utf8.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let replaced = diagonal + (x == y ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
