import Foundation
import Testing

@testable import Tokenizers

@Suite("Vocabularies of GGUF files")
struct GGUFTests {
  @Test(
    "a tokenizer.json and the vocabulary made from it give the same ids",
    arguments: [
      ("digits", "smollm", "gpt2"), ("sentencepiece", "default", "llama"),
      ("cased", "gpt-4o", "gpt2"),
    ]
  )
  func export(name: String, pre: String, model: String) throws {
    let original = try TokenizerGolden.tokenizer(name)
    let vocabulary = try original.ggufVocabulary()
    #expect(vocabulary.pre == pre)
    #expect(vocabulary.model == model)
    let made = try Tokenizer(vocabulary, source: name)
    let back = try Tokenizer(tokenizerJSON: made.tokenizerJSON(), source: name)
    for text in try TokenizerGolden.texts() {
      let ids = try original.encode(text)
      #expect(try made.encode(text) == ids, "\(text.debugDescription)")
      #expect(try back.encode(text) == ids, "\(text.debugDescription)")
      #expect(try Array(made.decode(ids).utf8) == Array(original.decode(ids).utf8))
    }
  }

  @Test("special tokens around a text survive both ways")
  func specialTokens() throws {
    let golden = try TokenizerGolden.tokenizer("digits")
    var vocabulary = try golden.ggufVocabulary()
    vocabulary.beginningOfText = 0
    vocabulary.endOfText = 1
    vocabulary.addsBeginningOfText = true
    vocabulary.addsEndOfText = true
    let made = try Tokenizer(vocabulary, source: "made")
    let back = try Tokenizer(
      tokenizerJSON: made.tokenizerJSON(),
      source: "back",
      beginningOfText: "<s>",
      endOfText: "</s>"
    )
    let ids = try [0] + golden.encode("Hello 12") + [1]
    #expect(try made.encode("Hello 12", addSpecialTokens: true) == ids)
    #expect(try back.encode("Hello 12", addSpecialTokens: true) == ids)
    let again = try back.ggufVocabulary(paddedTo: 1000)
    #expect(again.tokens.count == 1000 && again.tokenTypes.count == 1000)
    #expect(again.addsBeginningOfText == true && again.beginningOfText == 0)
    #expect(again.addsEndOfText == true && again.endOfText == 1)
    #expect(made.beginningOfText == 0 && back.endOfText == 1)
  }

  @Test(
    "what GGUF cannot say is an error",
    arguments: ["gpt2", "metaspace", "unigram", "suffixed"]
  )
  func notExportable(name: String) throws {
    let tokenizer = try TokenizerGolden.tokenizer(name)
    let error = #expect(throws: TokenizerError.self) { try tokenizer.ggufVocabulary() }
    #expect(error?.code == .notExportable)
  }

  @Test("unknown names are errors that list the known ones")
  func unknownNames() throws {
    var vocabulary = try TokenizerGolden.tokenizer("digits").ggufVocabulary()
    vocabulary.pre = "kimi-k2"
    var error = #expect(throws: TokenizerError.self) { try Tokenizer(vocabulary, source: "x.gguf") }
    #expect(error?.location.path == "tokenizer.ggml.pre")
    #expect(error?.remedy.contains("smollm") == true)
    vocabulary.pre = nil
    error = #expect(throws: TokenizerError.self) { try Tokenizer(vocabulary, source: "x.gguf") }
    #expect(error?.code == .missingValue)
    vocabulary.model = "t5"
    error = #expect(throws: TokenizerError.self) { try Tokenizer(vocabulary, source: "x.gguf") }
    #expect(error?.location.path == "tokenizer.ggml.model")
  }

  @Test(
    "every named layout opens and splits without loss",
    arguments: GGUFLayout.all.map { $0.names[0] }
  )
  func layouts(name: String) throws {
    var vocabulary = try TokenizerGolden.tokenizer("llama3").ggufVocabularyForLayouts()
    vocabulary.pre = name
    let tokenizer = try Tokenizer(vocabulary, source: name)
    let exported = try Tokenizer(tokenizerJSON: tokenizer.tokenizerJSON(), source: name)
    // Names that differ in whether a text starts with a token are told apart by that option.
    let found = try #require(GGUFLayout.named(exported.ggufVocabulary().pre ?? ""))
    let layout = try #require(GGUFLayout.named(name))
    #expect(found.preTokenizerJSON == layout.preTokenizerJSON)
    #expect(found.normalizes == layout.normalizes && found.ignoresMerges == layout.ignoresMerges)
    for text in RandomTexts(seed: 21).prefix(50) {
      let ids = try tokenizer.encode(text)
      #expect(try exported.encode(text) == ids)
      if tokenizer.normalizer == nil {
        #expect(Array(try tokenizer.decode(ids).utf8) == Array(text.utf8))
      }
    }
  }

  @Test("changed vocabularies are errors or work", arguments: ["digits", "sentencepiece"])
  func changed(name: String) throws {
    let original = try TokenizerGolden.tokenizer(name).ggufVocabulary()
    var random = RandomTexts(seed: 5)
    for _ in 0..<300 {
      var vocabulary = original
      let place = random.number(below: vocabulary.tokens.count)
      let other = random.number(below: vocabulary.tokens.count)
      switch random.number(below: 12) {
      case 0: vocabulary.tokens.remove(at: place)
      case 1: vocabulary.tokens[place] = vocabulary.tokens[other]
      case 2: vocabulary.tokens[place] = ""
      case 3: vocabulary.tokenTypes[place] = Int32(truncatingIfNeeded: random.number())
      case 4: vocabulary.tokenTypes.removeLast()
      case 5: vocabulary.merges.append(random.next() ?? "")
      case 6: vocabulary.merges.append("\(vocabulary.tokens[place]) \(vocabulary.tokens[other])")
      case 7: if !vocabulary.scores.isEmpty { vocabulary.scores[place] = .nan }
      case 8: if !vocabulary.scores.isEmpty { vocabulary.scores[place] = vocabulary.scores[other] }
      case 9: vocabulary.endOfText = Int32(truncatingIfNeeded: random.number())
      case 10: vocabulary.unknown = Int32(truncatingIfNeeded: random.number())
      default: vocabulary.tokenTypes = vocabulary.tokenTypes.map { _ in 4 }
      }
      do throws(TokenizerError) {
        let tokenizer = try Tokenizer(vocabulary, source: "changed")
        let ids = try tokenizer.encode("Hello 12 world é <s>x", addSpecialTokens: true)
        _ = try tokenizer.decode(ids)
        _ = try tokenizer.tokenizerJSON()
      } catch {
        #expect(!error.problem.isEmpty)
      }
    }
  }
}

extension Tokenizer {
  /// The byte-level vocabulary of a golden under a layout of any name.
  fileprivate func ggufVocabularyForLayouts() throws -> GGUFVocabulary {
    guard case .bytePair(let model) = model else { throw CancellationError() }
    return GGUFVocabulary(
      model: "gpt2",
      pre: "gpt-2",
      tokens: (0..<vocabularySize).map { token(Int32($0)) ?? "" },
      merges: model.mergeList.map {
        "\(token($0.left) ?? "") \(token($0.right) ?? "")"
      },
      beginningOfText: 0,
      endOfText: 1
    )
  }
}
