import Foundation
import Testing

@testable import Tokenizers

@Suite("Ids and texts are those of the tokenizers library")
struct GoldenTests {
  @Test("encoding without special tokens", arguments: TokenizerGolden.names)
  func encoding(name: String) throws {
    let tokenizer = try TokenizerGolden.tokenizer(name)
    let golden = try TokenizerGolden.read(name)
    for (text, ids) in zip(try TokenizerGolden.texts(), golden.ids) {
      #expect(try tokenizer.encode(text) == ids, "\(text.debugDescription)")
    }
  }

  @Test("encoding with special tokens", arguments: TokenizerGolden.names)
  func specialTokens(name: String) throws {
    let tokenizer = try TokenizerGolden.tokenizer(name)
    let golden = try TokenizerGolden.read(name)
    for (index, text) in try TokenizerGolden.texts().enumerated() {
      let expected = golden.special[index] ?? golden.ids[index]
      #expect(try tokenizer.encode(text, addSpecialTokens: true) == expected)
    }
  }

  @Test("decoding with and without special tokens", arguments: TokenizerGolden.names)
  func decoding(name: String) throws {
    let tokenizer = try TokenizerGolden.tokenizer(name)
    let golden = try TokenizerGolden.read(name)
    for (index, text) in try TokenizerGolden.texts().enumerated() {
      let ids = golden.ids[index]
      let decoded = golden.decoded[index] ?? text
      let skipped = golden.skipped[index] ?? decoded
      #expect(Array(try tokenizer.decode(ids).utf8) == Array(decoded.utf8))
      #expect(Array(try tokenizer.decode(ids, skipSpecialTokens: true).utf8) == Array(skipped.utf8))
    }
  }

  @Test("the cache changes nothing", arguments: TokenizerGolden.names)
  func repeated(name: String) throws {
    let tokenizer = try TokenizerGolden.tokenizer(name)
    let texts = try TokenizerGolden.texts()
    let first = try texts.map { try tokenizer.encode($0) }
    #expect(try texts.map { try tokenizer.encode($0) } == first)
  }

  @Test("byte-level tokenizers give every text back", arguments: ["llama3", "cased"])
  func roundTrip(name: String) throws {
    let tokenizer = try TokenizerGolden.tokenizer(name)
    for text in RandomTexts(seed: 3).prefix(300) {
      let back = try tokenizer.decode(tokenizer.encode(text))
      #expect(Array(back.utf8) == Array(text.utf8))
    }
  }
}
