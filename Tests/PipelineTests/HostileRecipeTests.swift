import Foundation
import Pipeline
import Testing

@Suite("Hostile recipes")
struct HostileRecipeTests {
  @Test(
    "deep nesting is a problem, not a trap",
    arguments: ["[", "{a: ", "- ", "? ", "[{a: ", "- - - "]
  )
  func deep(_ opener: String) throws {
    for count in [40, 900, 20_000, 100_000] {
      #expect(try problems(String(repeating: opener, count: count)) != "")
      #expect(try problems("model: " + String(repeating: opener, count: count) + "x") != "")
    }
  }

  @Test("aliases that multiply are refused quickly")
  func bombs() throws {
    var text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    for level in 1..<30 {
      let uses = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ",")
      text += "a\(level): &a\(level) [\(uses)]\n"
    }
    let start = ContinuousClock.now
    #expect(try problems(text).contains("anchors"))
    // As keys, which a parser compares, and with as many as are let through.
    for (anchors, uses) in [(4, 4), (3, 5), (2, 8)] {
      var keys = "k0: &k0 [\(Array(repeating: "x", count: 2000).joined(separator: ","))]\n"
      for level in 1..<anchors {
        let aliases = Array(repeating: "*k\(level - 1)", count: uses).joined(separator: ",")
        keys += "k\(level): &k\(level) [\(aliases)]\n"
      }
      keys += "? *k\(anchors - 1)\n: 1\n"
      #expect(try problems(keys) != "")
    }
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test("a few anchors are fine")
  func anchors() throws {
    let text = """
      model: llama-3
      stages:
        - sample.all: &options { bits: 3 }
        - sample.all: *options
      """
    #expect(try problems(text) == "")
  }

  @Test("a large recipe is refused")
  func large() throws {
    #expect(try problems(String(repeating: "# x\n", count: 100_000)).contains("larger than"))
    let many = "model: m\nstages: [\(Array(repeating: "a", count: 60_000).joined(separator: ","))]"
    #expect(try problems(many).contains("more than 20000 values"))
  }

  @Test("keys given hundreds of times are found quickly")
  func repeated() throws {
    let text = (0..<5000).map { "seed: \($0)\n" }.joined()
    #expect(try problems(text).contains("twice"))
    let pairs = (0..<2000).map { "k\($0): 1\nk\($0): 2\n" }.joined()
    #expect(try problems(pairs).contains("twice"))
  }

  @Test(
    "never trap, whatever is changed in them",
    arguments: 0..<25
  )
  func mutated(_ seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let pieces: [[UInt8]] = [
      "{", "}", "[", "]", ":", "- ", "\n", "  ", "&a ", "*a", "\"", "'", "|", ">", "!!", "%", "? ",
      "#", "\t", "~", "null", "1e999", "-1", "9999999999999999999", "\u{0}", "\u{FEFF}", "é", "\\",
      "<<: ", "!!str ", "!!int x", "---\n", "...\n", "model: ", "stages:\n", "gates:\n",
    ].map { Array($0.utf8) }
    for _ in 0..<50 {
      var bytes = Array(complete.utf8)
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        let start = Int.random(in: 0..<max(1, bytes.count), using: &random)
        let end = min(bytes.count, start + Int.random(in: 0...12, using: &random))
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes.removeSubrange(start..<end)
        case 1: bytes.insert(contentsOf: pieces.randomElement(using: &random) ?? [], at: start)
        case 2: bytes.insert(contentsOf: bytes[start..<end], at: start)
        default: if start < bytes.count { bytes[start] = UInt8.random(in: 0...255, using: &random) }
        }
      }
      let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
      try Data(bytes).write(to: file)
      defer { try? FileManager.default.removeItem(at: file) }
      do {
        let read = try RecipeFile(file, shownAs: "test.yaml", registry: testRegistry)
        // What is read must print to something that reads back.
        let text = read.recipe.resolvedText
        #expect(try recipe(text).recipe == read.recipe, "\(String(decoding: bytes, as: UTF8.self))")
      } catch let error as RecipeProblems {
        #expect(!error.problems.isEmpty)
        #expect(!error.description.contains("Optional("))
      }
    }
  }

  @Test("overrides never trap either", arguments: 0..<10)
  func mutatedOverrides(_ seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed) + 1000)
    let pieces = [
      "stages", ".", "0", "1", "9", "-1", "=", "gates", "size", "at_most", "{", "}", "[", "x",
      "test.scale", "factor", "2", "model", "\n", "é", "*", ":", " ",
    ]
    for _ in 0..<100 {
      let count = Int.random(in: 1...9, using: &random)
      let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
      _ = try problems(complete, [text])
    }
  }
}
