import Foundation
import Models

/// Words and numbers as messages and tables show them.
package enum Wording {
  /// Joins words with commas and a last conjunction: “a, b or c”.
  package static func list(_ words: [String], _ conjunction: String) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " \(conjunction) " + last
  }

  /// A count with its noun: “1 matrix”, “210 matrices”.
  package static func count(_ count: Int, _ singular: String, _ plural: String) -> String {
    "\(count) \(count == 1 ? singular : plural)"
  }

  /// A text cut to a length that fits a message.
  package static func excerpt(_ text: String, length: Int = 60) -> String {
    text.count <= length ? text : text.prefix(length) + "…"
  }

  /// “; did you mean `x`?” if a known name is near, else the list under a title, else nothing.
  package static func didYouMean(
    _ name: String,
    _ known: [String],
    orList title: String? = nil
  ) -> String {
    if let nearest = nearest(to: name, in: known) { return "; did you mean `\(nearest)`?" }
    guard let title, !known.isEmpty else { return "" }
    return "; \(title): \(known.joined(separator: ", "))"
  }

  /// The known name with the fewest edits from a given one, if they are few.
  package static func nearest(to name: String, in known: [String]) -> String? {
    // Longer names cannot be near a key, and edit distance costs the product of the lengths.
    guard name.count <= 100 else { return nil }
    let lowered = name.lowercased().replacing("-", with: "_")
    let ranked = known.map { (name: $0, distance: editDistance(lowered, $0.lowercased())) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    let shorter = min(name.count, best.name.count)
    // Behind a shared `quantize.` what differs is short: `rtn` does not mean `awq`.
    let prefix = lowered.commonPrefix(with: best.name.lowercased())
    let shared = prefix.lastIndex(of: ".").map { prefix[...$0].count }
    let edits = shared.map { min(shorter / 3, (shorter - $0) / 2) } ?? shorter / 3
    if best.distance <= max(1, edits) { return best.name }
    let containing = known.filter { $0.lowercased().contains(lowered) }
    return lowered.count >= 3 && containing.count == 1 ? containing.first : nil
  }

  /// A number with so many significant digits, never in exponents between 1e-4 and 1e15.
  package static func number(_ value: Double, digits: Int = 4) -> String {
    guard value.isFinite else { return value.isNaN ? "not a number" : value < 0 ? "−∞" : "∞" }
    if value == 0 { return "0" }
    let size = abs(value)
    if size < 1e-4 || size >= 1e15 { return String(format: "%.\(digits - 1)e", value) }
    let whole = Int(log10(size).rounded(.down)) + 1
    return String(format: "%.\(max(0, digits - whole))f", value)
  }

  /// The shortest text that reads back to exactly the number, without a trailing `.0`.
  package static func exact(_ value: Double) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// A length of time: “0.4 s”, “42 s”, “3 min 05 s”, “2 h 10 min”.
  package static func seconds(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0 else { return "–" }
    if seconds < 10 { return String(format: "%.1f s", seconds) }
    let whole = Int(min(seconds, 1e9).rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return String(format: "%d min %02d s", whole / 60, whole % 60) }
    return String(format: "%d h %02d min", whole / 3600, whole % 3600 / 60)
  }
}
