import Foundation
import Pipeline
import Testing

@Suite("Printed recipes")
struct RecipeRoundTripTests {
  @Test("read back to an equal recipe, and print the same again")
  func roundTrip() throws {
    let original = try recipe(complete).recipe
    let printed = original.resolvedText
    let again = try recipe(printed).recipe
    #expect(again == original)
    #expect(again.resolvedText == printed)
  }

  @Test("write every option out")
  func resolved() throws {
    let text = try recipe("model: m\nstages:\n  - test.scale\nevaluation: {}\n").recipe.resolvedText
    #expect(
      text == """
        name: test
        model: m
        seed: 0
        evaluation:
          perplexity: builtin:evaluation
          protocol: windows
          context: 512
          tokens: 20480
          agreement: true
          after: stages
        stages:
          - test.scale:
              factor: 2
              targets: [model.layers.*]
              exclude: []
        gates: {}

        """
    )
  }

  @Test("read back whatever the options are", arguments: 0..<300)
  func random(_ seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    var lines = ["model: \(yaml(text(&random)))", "name: n\(seed)", "seed: \(random.next())"]
    lines.append("stages:")
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      var options: [String] = []
      if Bool.random(using: &random) {
        options.append("sparsity: \(Double.random(in: 0..<1, using: &random))")
      }
      if Bool.random(using: &random) { options.append("label: \(yaml(text(&random)))") }
      if Bool.random(using: &random) {
        options.append("limit: \(Int.random(in: 1...(1 << 45), using: &random))")
      }
      if Bool.random(using: &random) {
        let rates = (0..<3).map { _ in pow(10, Double.random(in: -300...300, using: &random)) }
        options.append("rates: \(rates)")
      }
      if Bool.random(using: &random) {
        let patterns = (0..<3).map { _ in yaml(text(&random)) }
        options.append("targets: [\(patterns.joined(separator: ", "))]")
      }
      lines.append("  - sample.all: { \(options.joined(separator: ", ")) }")
    }
    let source = lines.joined(separator: "\n")
    let original = try recipe(source).recipe
    #expect(try recipe(original.resolvedText).recipe == original, "\(source)")
  }

  // Text with everything that YAML gives a meaning to, and some it cannot hold unescaped.
  private func text(_ random: inout SeededGenerator) -> String {
    let pieces = [
      "a", "B", "7", ".", "*", "-", ":", ": ", " #", "'", "\"", "\\", "\n", "\t", "{", "}", "[",
      "]", ",", "&", "!", "|", ">", "%", "@", "`", "?", "~", "null", "true", "é", "漢", "🦙",
      "\u{7F}", "\u{85}", "\u{A0}", "\u{2028}", "\u{1}", " ", "=", "0x1", "1e3", "on",
    ]
    let count = Int.random(in: 1...6, using: &random)
    return (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
  }

  // Text as JSON, which is YAML too.
  private func yaml(_ text: String) -> String {
    let scalars = text.unicodeScalars.map { scalar -> String in
      switch scalar {
      case "\"": "\\\""
      case "\\": "\\\\"
      case _ where scalar.value < 0x20 || (0x7F...0xA0).contains(scalar.value):
        "\\u" + String(format: "%04x", scalar.value)
      case "\u{2028}": "\\u" + String(format: "%04x", scalar.value)
      default: String(scalar)
      }
    }
    return "\"\(scalars.joined())\""
  }
}

/// The same random numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
