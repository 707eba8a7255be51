extension String {
  /// The candidates that differ least from the string, nearest first, for “did you mean”.
  ///
  /// - Parameters:
  ///   - candidates: What the string could have meant.
  ///   - limit: The most to return.
  /// - Returns: Those within a third of the string's length in edits.
  /// - Complexity: O(n · m) for each candidate.
  func nearestMatches(in candidates: some Sequence<String>, limit: Int = 3) -> [String] {
    // Edit distance takes quadratic time, which names in hostile files must not exploit.
    let bytes = Array(utf8.prefix(256))
    let allowed = max(2, bytes.count / 3)
    var found: [(name: String, distance: Int)] = []
    for candidate in candidates.prefix(4096) {
      let other = Array(candidate.utf8.prefix(256))
      guard abs(other.count - bytes.count) <= allowed else { continue }
      let distance = editDistance(bytes, other)
      if distance <= allowed { found.append((candidate, distance)) }
    }
    found.sort { ($0.distance, $0.name) < ($1.distance, $1.name) }
    return found.prefix(limit).map(\.name)
  }
}

/// The number of bytes to insert, remove or replace to turn one string into the other.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let replaced = diagonal + (x == y ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, diagonal + 1, row[j] + 1)
    }
  }
  return row[b.count]
}
