import Foundation
import Testing

@testable import Tokenizers

@Suite("Training a vocabulary gives what the tokenizers library gives")
struct TrainingTests {
  private static let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
  private static let trainers: [String: BytePairTrainer] = [
    "calibration": .init(vocabularySize: 1200, specialTokens: special),
    "frequent": .init(vocabularySize: 3000, minimumFrequency: 20, splitting: .gpt2),
    "llama3": .init(
      vocabularySize: 800,
      specialTokens: special,
      minimumFrequency: 2,
      splitting: .llama3
    ),
    "words": .init(vocabularySize: 700, minimumFrequency: 2, splitting: .pattern("\\w+|\\s")),
    "ties": .init(vocabularySize: 700, specialTokens: ["<s>", "ab"], splitting: .gpt2),
    "overlaps": .init(vocabularySize: 500, splitting: .gpt2),
  ]

  private static func calibration() throws -> [String] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let file = root.appending(path: "Sources/Datasets/Resources/calibration.txt")
    let text = String(decoding: try Data(contentsOf: file).prefix(60_000), as: UTF8.self)
    // The cut may leave half a character.
    return text.replacing("\u{FFFD}", with: "").components(separatedBy: "\n\n")
  }

  @Test("the same merges, in the same order", arguments: trainers.keys.sorted())
  func merges(name: String) throws {
    let trainer = try #require(Self.trainers[name])
    let data = try TokenizerGolden.data("trained.json")
    let golden = try TemplateValue(json: data, source: "trained.json")
    let given = golden[name].elements.compactMap(\.text)
    let tokenizer = try trainer.train(given.isEmpty ? Self.calibration() : given)
    let expected = golden["cases"][name]
    #expect(TemplateValue.integer(tokenizer.vocabularySize) == expected["size"])
    guard case .bytePair(let model) = tokenizer.model else {
      Issue.record("not a BPE model")
      return
    }
    let merges = model.mergeList.map { merge in
      [tokenizer.token(merge.left), tokenizer.token(merge.right)]
    }
    #expect(merges == expected["merges"].elements.map { $0.elements.map(\.text) })
    for (probe, ids) in zip(golden["probes"].elements, expected["ids"].elements) {
      let text = try #require(probe.text)
      let encoded = try tokenizer.encode(text)
      #expect(TemplateValue.list(encoded.map { .integer(Int($0)) }) == ids)
      #expect(try tokenizer.decode(encoded) == text)
    }
  }

  @Test("the file says what the library's own says")
  func file() throws {
    let trainer = try #require(Self.trainers["calibration"])
    let tokenizer = try trainer.train(
      Self.calibration(),
      beginningOfText: "<|im_start|>",
      endOfText: "<|endoftext|>"
    )
    let written = try TemplateValue(json: tokenizer.tokenizerJSON(), source: "written")
    let data = try TokenizerGolden.data("trained.tokenizer.json")
    #expect(written == (try TemplateValue(json: data, source: "trained.tokenizer.json")))
    #expect(tokenizer.endOfText == 0)
    #expect(tokenizer.beginningOfText == 1)
    #expect(tokenizer.specialTokens.map(\.token) == Self.special)
    #expect(tokenizer.id(of: "<|im_end|>") == 2)
  }

  @Test("texts and settings without a result are errors")
  func errors() {
    func code(_ trainer: BytePairTrainer, _ texts: [String] = ["a"]) -> TokenizerError.Code? {
      #expect(throws: TokenizerError.self) { try trainer.train(texts) }?.code
    }
    #expect(code(.init(vocabularySize: 300), []) == .training)
    #expect(code(.init(vocabularySize: 300), ["", ""]) == .training)
    #expect(code(.init(vocabularySize: 255)) == .training)
    #expect(code(.init(vocabularySize: 257, specialTokens: ["<s>", "</s>"])) == .training)
    #expect(code(.init(vocabularySize: 300, specialTokens: ["<s>", "<s>"])) == .training)
    #expect(code(.init(vocabularySize: 300, specialTokens: [""])) == .training)
    #expect(code(.init(vocabularySize: 300, specialTokens: ["a"])) == .training)
    #expect(code(.init(vocabularySize: .max)) == .training)
    #expect(code(.init(vocabularySize: 300, splitting: .pattern("("))) == .pattern)
    let trainer = BytePairTrainer(vocabularySize: 300)
    let missing = #expect(throws: TokenizerError.self) {
      try trainer.train(["a"], endOfText: "<s>")
    }
    #expect(missing?.code == .missingValue)
  }

  @Test("a text too small for the vocabulary gives a smaller one")
  func small() throws {
    let tokenizer = try BytePairTrainer(vocabularySize: 1000).train(["ab ab"])
    #expect(tokenizer.vocabularySize == 258)
  }
}
