import Testing

@testable import Datasets

@Suite("Built-in stories")
struct StoryTests {
  private let stories = (0..<600).map(StoryGenerator(seed: 0).story)

  @Test("a story depends on seed and index alone, and hardly any two are equal")
  func pure() {
    let generator = StoryGenerator(seed: 0)
    #expect(generator.story(17) == stories[17])
    #expect(Set(stories).count >= stories.count - 2)
    #expect(StoryGenerator(seed: 1).story(17) != stories[17])
    let apart = (0..<100).map(StorySelection(count: 100, isValidation: true).story)
    #expect(Set(apart).isDisjoint(with: stories))
  }

  @Test("no gap is left open and every text is well formed")
  func form() throws {
    let gap = try Regex("\\?[A-Za-z ]+\\?[^\"]")
    for (index, story) in stories.enumerated() {
      let unwanted = story.contains { "{}[]<>#|_".contains($0) } || story.contains("  ")
      #expect(!unwanted, "story \(index): \(story)")
      #expect(!story.contains(gap), "story \(index): \(story)")
      let quotes = story.reduce(0) { $0 + ($1 == "\"" ? 1 : 0) }
      #expect(quotes.isMultiple(of: 2), "story \(index): \(story)")
      for line in story.split(separator: "\n") {
        #expect(
          line.first?.isLowercase == false || line.hasPrefix("we "),
          "story \(index): \(line)"
        )
      }
      #expect(story.unicodeScalars.allSatisfy { $0.isASCII })
    }
  }

  @Test("articles fit, and no word follows itself")
  func grammar() throws {
    let doubled: Set = ["had", "that", "her", "is"]
    for (index, story) in stories.enumerated() {
      let words = story.lowercased().split { !$0.isLetter && $0 != "'" && $0 != "-" }
      for (word, next) in zip(words, words.dropFirst()) {
        let isVowel = next.first.map { "aeiou".contains($0) } ?? false
        let odd = ["uni", "use", "one", "uku", "eu", "hour", "honest"].contains {
          next.hasPrefix($0)
        }
        if !odd {
          if word == "a" { #expect(!isVowel, "story \(index): a \(next)") }
          if word == "an" { #expect(isVowel, "story \(index): an \(next)") }
        }
        if ["a", "an", "the", "of", "and", "to", "in", "at", "with"].contains(word) {
          #expect(word != next || doubled.contains(String(word)), "story \(index): \(word) \(next)")
        }
      }
    }
  }

  @Test("every template can be told")
  func templates() {
    let stories = (0..<3000).map(StoryGenerator(seed: 9).story)
    let words = Set(
      stories.flatMap { $0.lowercased().split { !$0.isLetter }.map(String.init) }
    )
    #expect(words.count > 2400)
    #expect(stories.allSatisfy { $0.utf8.count > 20 && $0.utf8.count < 4000 })
  }

  @Test(
    "selections are read by name",
    arguments: [
      ("builtin:stories", 20_000, false), ("builtin:stories:12", 12, false),
      ("builtin:stories:validation", 500, true), ("builtin:stories:validation:3", 3, true),
    ]
  )
  func selections(name: String, count: Int, isValidation: Bool) throws {
    let selection = try #require(StorySelection(name))
    #expect((selection.count, selection.isValidation) == (count, isValidation))
    #expect(StorySelection(selection.description) == selection)
  }

  @Test(
    "names that are no selection are errors",
    arguments: [
      "builtin:stories:", "builtin:stories:0", "builtin:stories:-1", "builtin:stories:x",
      "builtin:stories:1:2", "builtin:stories:+3", "builtin:storiesx",
      "builtin:stories:validation:",
      "builtin:stories:99999999999999999999",
    ]
  )
  func noSelections(name: String) {
    #expect(throws: DatasetError.self) { try TextSource(name) }
  }

  @Test("as a text they stand with empty lines between them")
  func text() throws {
    let text = try TextSource("builtin:stories:3").read()
    #expect(text == stories[..<3].joined(separator: "\n\n") + "\n")
  }

  @Test(
    "English forms",
    arguments: [
      ("apple", "an apple", "apples"), ("leaf", "a leaf", "leaves"),
      ("red fox", "a red fox", "red foxes"), ("ukulele", "a ukulele", "ukuleles"),
      ("cherry", "a cherry", "cherries"), ("toy", "a toy", "toys"), ("mouse", "a mouse", "mice"),
    ]
  )
  func english(noun: String, article: String, plural: String) {
    #expect(English.withArticle(noun) == article)
    #expect(English.plural(noun) == plural)
  }
}
