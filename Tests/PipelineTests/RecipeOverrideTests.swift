import Foundation
import Pipeline
import Testing

@Suite("Overrides of recipes")
struct RecipeOverrideTests {
  private let text = "model: m\nstages:\n  - sample.all: { bits: 3 }\n  - test.scale\n"

  @Test(
    "put values in place, by index or kind",
    arguments: [
      ("seed=9", "seed: 9"), ("stages.0.bits=8", "bits: 8"),
      ("stages.sample.all.bits=8", "bits: 8"), ("stages.1.factor=0.25", "factor: 0.25"),
      ("stages.0.rates=[1, 2]", "rates: [1, 2]"),
      ("evaluation.tokens=64", "tokens: 64"), ("gates.size.at_most=90MiB", "at_most: 90MiB"),
      ("model=\"a b\"", "model: \"a b\""), ("stages.0.rules.0={}", ""),
    ]
  )
  func apply(_ override: String, _ expected: String) throws {
    if expected.isEmpty {
      #expect(try problems(text, [override]) != "")
    } else {
      let printed = try recipe(text, [override]).recipe.resolvedText
      #expect(printed.contains(expected), "\(printed)")
    }
  }

  @Test("of one key of a group leave the stage's defaults of its other keys")
  func nested() throws {
    let printed = try recipe(text, ["stages.0.others.exclude=model.layers.0.*"]).recipe.resolvedText
    #expect(printed.contains("targets: [\"*.down_proj\"]"), "\(printed)")
    #expect(printed.contains("exclude: [model.layers.0.*]"), "\(printed)")
    let options = SampleOptions.fieldReferences
    let others = try #require(options.first { $0.key == "others" })
    #expect(others.children.first?.fallbackText == "[\"*.down_proj\"]")
  }

  @Test(
    "are blamed where they are wrong",
    arguments: [
      (
        "stages.0.bits=99",
        """
        --set:1:15: error: bits must be between 2 and 8, not `99`
        stages.0.bits=99
                      ^
        """
      ),
      (
        "stages.7.bits=4",
        """
        --set:1:1: error: there is no `stages.7`; indices are 0 to 1
        stages.7.bits=4
        ^
        """
      ),
      (
        "seed",
        """
        --set:1:1: error: `seed` is not of the form `key=value`, such as `stages.0.bits=8`
        seed
        ^
        """
      ),
      (
        "stages.0.bitz=4",
        """
        --set:1:1: error: unknown key `bitz`; did you mean `bits`?
        stages.0.bitz=4
        ^
        """
      ),
      (
        "seed={",
        """
        --set:1:7: error: not YAML: did not find expected node content, while parsing a flow node
        seed={
              ^
        """
      ),
    ]
  )
  func blame(_ override: String, _ message: String) throws {
    #expect(try problems(text, [override]) == message)
  }
}
