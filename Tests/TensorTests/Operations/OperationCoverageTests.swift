import Foundation
import TestSupport
import Testing

@Suite("Coverage of operations")
struct OperationCoverageTests {
  /// Public functions of operations that have no gradient, and why.
  static let withoutGradient: [String: String] = [
    "sum": "a plain number",
    "mean": "a plain number",
    "dot": "a plain number",
    "sumOfSquares": "a plain number",
    "largestMagnitude": "a plain number",
    "largestColumns": "integers",
    "logits": "a teacher's, not recorded",
    "multipliedInIntegers": "straight through, not the derivative; in IntegerProductTests",
    "roundedToEightBits": "straight through, not the derivative; in IntegerProductTests",
    "add": "changes a tensor in place; stops if one is being differentiated through",
  ]

  @Test("every public function of operations and views has a case")
  func coverage() throws {
    let covered = Set(allOperationCases.flatMap(\.covers))
    let declared = try Self.declaredNames()
    #expect(declared.count > 30)
    for name in declared.sorted()
    where Self.withoutGradient[name] == nil {
      #expect(covered.contains(name), "\(name) has no operation case")
    }
    for name in covered.union(Self.withoutGradient.keys).sorted() {
      #expect(declared.contains(name), "\(name) is not declared")
    }
  }

  /// The names behind `public func` and `public static func` in the sources.
  private static func declaredNames() throws -> Set<String> {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Sources/Tensor")
    let operations = sources.appending(path: "Operations")
    let files =
      try FileManager.default.contentsOfDirectory(at: operations, includingPropertiesForKeys: nil)
      + ["Tensor+Views.swift", "Tensor+Casting.swift"].map { sources.appending(path: $0) }
    let declaration = /public (?:static |mutating )*func ([A-Za-z]+|[-+*\/])/
    var names: Set<String> = []
    for file in files where file.pathExtension == "swift" {
      let text = try String(contentsOf: file, encoding: .utf8)
      for match in text.matches(of: declaration) { names.insert(String(match.output.1)) }
    }
    return names
  }
}
