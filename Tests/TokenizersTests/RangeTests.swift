import Foundation
import Testing

@testable import Tokenizers

@Suite("Every token knows its bytes in the text")
struct RangeTests {
  private func check(_ tokenizer: Tokenizer, _ text: String) throws -> Bool {
    do throws(TokenizerError) {
      let tokens = try tokenizer.encodeWithRanges(text)
      #expect(try tokenizer.encode(text) == tokens.map(\.id))
      var position = 0
      for token in tokens {
        #expect(token.bytes.lowerBound == position)
        position = token.bytes.upperBound
      }
      #expect(position == text.utf8.count)
      return true
    } catch {
      guard error.code == .rangeNotFound else { throw error }
      return false
    }
  }

  @Test(
    "ranges cover the text",
    arguments: [
      ("gpt2", 0.9), ("digits", 0.95), ("llama3", 1), ("qwen2", 0.6), ("cased", 1),
      ("sentencepiece", 0.5), ("metaspace", 0.3), ("unigram", 0.05),
    ]
  )
  func covering(name: String, share: Double) throws {
    let tokenizer = try TokenizerGolden.tokenizer(name)
    let texts = try TokenizerGolden.texts()
    let found = try texts.filter { try check(tokenizer, $0) }
    #expect(Double(found.count) >= share * Double(texts.count), "\(found.count) of \(texts.count)")
  }

  @Test("ranges hold the tokens' characters")
  func characters() throws {
    let tokenizer = try TokenizerGolden.tokenizer("llama3")
    let text = "Hello world, 1234 naïve 世界<|eot_id|> x"
    let bytes = Array(text.utf8)
    for token in try tokenizer.encodeWithRanges(text) {
      let alone = try tokenizer.decode([token.id])
      if alone.unicodeScalars.contains("\u{FFFD}") { continue }
      #expect(alone == String(decoding: bytes[token.bytes], as: UTF8.self))
    }
  }

  @Test("a space that is put in has no bytes")
  func prefix() throws {
    let tokenizer = try TokenizerGolden.tokenizer("sentencepiece")
    for text in ["the world", " the world", "  the  world ", "<s>the world\n"] {
      #expect(try check(tokenizer, text), "\(text)")
    }
  }

  @Test("a text that the tokenizer changes is an error")
  func changed() throws {
    let tokenizer = try TokenizerGolden.tokenizer("qwen2")
    let error = #expect(throws: TokenizerError.self) {
      try tokenizer.encodeWithRanges("cafe\u{301}")
    }
    #expect(error?.code == .rangeNotFound)
  }

  @Test("answers of a rendered conversation become a mask of tokens", arguments: ["é", "e\u{301}"])
  func mask(letter: String) throws {
    for name in ["llama3", "qwen2", "digits"] {
      let tokenizer = try TokenizerGolden.tokenizer(name)
      let messages: [ChatMessage] = [
        .init(role: "user", content: "Caf\(letter)?"),
        .init(role: "assistant", content: "Oui, caf\(letter)."),
        .init(role: "user", content: "Why"), .init(role: "assistant", content: ""),
      ]
      let template = try TemplateGolden.template("smollm2")
      let segments = try template.renderedSegments(messages: messages)
      let (ids, isAnswer) = try tokenizer.encode(segments: segments)
      #expect(try tokenizer.encode(segments.map(\.text).joined()) == ids)
      #expect(ids.count == isAnswer.count)
      let answers = zip(ids, isAnswer).filter(\.1).map(\.0)
      #expect(
        try tokenizer.decode(answers)
          == "Oui, caf\(letter).<|im_end|>\n<|im_end|>\n"
          .precomposedStringWithCanonicalMapping
      )
    }
  }

  @Test("a token belongs to the segment it starts in")
  func boundary() throws {
    let tokenizer = try BytePairTrainer(vocabularySize: 258, splitting: .gpt2).train(["abab ab"])
    #expect(tokenizer.token(256) == "ab")
    let mask = try tokenizer.encode(
      segments: [("xa", false), ("bya", true), ("bx", false), ("", true)]
    )
    #expect(mask.ids.map { tokenizer.token($0) } == ["x", "ab", "y", "ab", "x"])
    #expect(mask.isAnswer == [false, false, true, true, false])
    #expect(try tokenizer.encode(segments: []).ids.isEmpty)
  }
}
