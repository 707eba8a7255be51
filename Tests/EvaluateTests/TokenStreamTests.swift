import Foundation
import Testing
import Tokenizers

@testable import Evaluate

@Suite("Token stream")
struct TokenStreamTests {
  @Test(
    "characters spread over tokens come out whole, and nothing is lost",
    arguments: ["plain text", "é", "naïve – “quotes” 日本語 🇩🇪 👩‍👩‍👧", "a\u{301}b\u{FFFD}c", ""]
  )
  func bytes(text: String) throws {
    let tokenizer = try Self.byteTokenizer()
    var stream = TokenStream(tokenizer)
    var pieces: [String] = []
    for token in try tokenizer.encode(text) { pieces.append(try stream.append(token)) }
    pieces.append(try stream.finish())
    #expect(pieces.joined().unicodeScalars.elementsEqual(text.unicodeScalars))
    if !text.unicodeScalars.contains("\u{FFFD}") {
      #expect(pieces.allSatisfy { !$0.unicodeScalars.contains("\u{FFFD}") })
    }
  }

  @Test("what never becomes a character comes out at the end as U+FFFD")
  func incomplete() throws {
    let tokenizer = try Self.byteTokenizer()
    let ids = try tokenizer.encode("é")
    var stream = TokenStream(tokenizer)
    #expect(try stream.append(ids[0]) == "")
    #expect(try stream.finish() == "\u{FFFD}")
  }

  @Test("a run of incomplete bytes is not held back for ever")
  func endless() throws {
    let tokenizer = try Self.byteTokenizer()
    let half = try tokenizer.encode("é")[0]
    var stream = TokenStream(tokenizer)
    var shown = 0
    for _ in 0..<500 { shown += try stream.append(half).unicodeScalars.count }
    shown += try stream.finish().unicodeScalars.count
    #expect(shown == 500)
  }

  @Test("a skipped prompt is context and does not come out")
  func prompt() throws {
    let tokenizer = try Self.byteTokenizer()
    var stream = TokenStream(tokenizer)
    stream.skip(try tokenizer.encode("The prompt"))
    var text = ""
    for token in try tokenizer.encode(" goes on") { text += try stream.append(token) }
    #expect(text + (try stream.finish()) == " goes on")
  }

  /// A byte-level tokenizer in which every byte is a token.
  private static func byteTokenizer() throws -> Tokenizer {
    var vocabulary: [String: Int] = [:]
    var next: UInt32 = 256
    for byte in UInt32(0)..<256 {
      let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
      let scalar = isPrintable ? byte : next
      if !isPrintable { next += 1 }
      vocabulary[String(Unicode.Scalar(scalar).map(Character.init) ?? " ")] = Int(byte)
    }
    let json: [String: Any] = [
      "version": "1.0", "added_tokens": [Any](), "normalizer": NSNull(),
      "pre_tokenizer": [
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
      ],
      "post_processor": NSNull(),
      "decoder": [
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
      ],
      "model": ["type": "BPE", "vocab": vocabulary, "merges": [Any]()],
    ]
    let data = try JSONSerialization.data(withJSONObject: json)
    return try Tokenizer(tokenizerJSON: data, source: "tokenizer.json")
  }
}
