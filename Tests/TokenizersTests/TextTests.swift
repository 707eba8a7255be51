import Foundation
import Testing

@testable import Tokenizers

@Suite("Texts of every kind and size")
struct TextTests {
  @Test("bytes that are not UTF-8 are read as U+FFFD, one for each maximal part")
  func invalid() throws {
    let tokenizer = try TokenizerGolden.tokenizer("llama3")
    let cases: [([UInt8], String)] = [
      ([0x61, 0xFF, 0x62], "a\u{FFFD}b"), ([0xE2, 0x82], "\u{FFFD}"),
      ([0xE2, 0x82, 0x41], "\u{FFFD}A"), ([0xC0, 0x80], "\u{FFFD}\u{FFFD}"),
      ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
      ([0xF0, 0x9F, 0x91, 0xF0, 0x9F, 0x91, 0x8D], "\u{FFFD}👍"),
      ([0xF5, 0x80, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
    ]
    for (bytes, text) in cases {
      let ids = try tokenizer.encode(text)
      #expect(try tokenizer.encode(bytes: bytes) == ids)
      #expect(try bytes.withUnsafeBytes { try tokenizer.encode($0) } == ids)
    }
  }

  @Test("long words are merged as short ones are", arguments: ["gpt2", "sentencepiece"])
  func longWords(name: String) throws {
    let tokenizer = try TokenizerGolden.tokenizer(name)
    // Just under and over the length where the merger changes its method.
    var words = MergeScratch()
    guard case .bytePair(let model) = tokenizer.model else { return }
    var random = RandomTexts(seed: 17)
    for count in [2, 3, 47, 48, 49, 50, 60, 200] {
      let symbols = (0..<count).map { _ in
        Int32(random.number(below: 40) + 60)
      }
      words.symbols = symbols
      words.mergeAll(model.merges)
      #expect(words.symbols == naive(symbols, model.merges))
    }
  }

  /// Merges by the definition: the lowest rank anywhere, the leftmost of equals.
  private func naive(_ symbols: [Int32], _ merges: PairTable) -> [Int32] {
    var symbols = symbols
    while symbols.count > 1 {
      let pairs = symbols.indices.dropLast().map {
        merges[PairTable.key(symbols[$0], symbols[$0 + 1])]
      }
      guard let best = pairs.min(), best != PairTable.absent,
        let place = pairs.firstIndex(of: best)
      else { break }
      symbols[place] = Int32(truncatingIfNeeded: best & 0xFFFF_FFFF)
      symbols.remove(at: place + 1)
    }
    return symbols
  }

  @Test("cutting at visible spaces changes nothing, and is not done where it would")
  func visibleSpaces() throws {
    let tokenizer = try TokenizerGolden.tokenizer("sentencepiece")
    #expect(tokenizer.model.mayCutAtMarks)
    let model = tokenizer.model
    var scratch = MergeScratch()
    for text in RandomTexts(seed: 31).prefix(500) where !text.isEmpty {
      let marked = Array(("\u{2581}" + text.replacing(" ", with: "\u{2581}")).utf8)
      var output = TokenBuffer(capacity: 16)
      try marked.withUnsafeBufferPointer { bytes in
        try model.encode(bytes, 0, bytes.count, isRaw: false, to: &output, &scratch)
      }
      #expect(try tokenizer.encode(text) == output.array)
    }
    let json = """
      {"model":{"type":"BPE","vocab":{"\u{2581}":0,"a":1,"a\u{2581}":2},\
      "merges":["a \u{2581}"]}}
      """
    let crossing = try Tokenizer(tokenizerJSON: Data(json.utf8), source: "crossing")
    #expect(!crossing.model.mayCutAtMarks)
    #expect(try crossing.encode("a\u{2581}a") == [2, 1])
  }

  @Test("a word of a hundred thousand letters takes no quadratic time")
  func veryLongWord() throws {
    let tokenizer = try TokenizerGolden.tokenizer("gpt2")
    let text = String(repeating: "a", count: 100_000)
    let clock = ContinuousClock()
    let start = clock.now
    #expect(try tokenizer.decode(tokenizer.encode(text)) == text)
    #expect(clock.now - start < .seconds(20))
  }

  @Test("the cache forgets and goes on when it is full")
  func fullCache() throws {
    let tokenizer = try TokenizerGolden.tokenizer("llama3")
    let fresh = try TokenizerGolden.tokenizer("llama3")
    var text = ""
    for number in 0..<70_000 { text += " w\(String(number, radix: 36))" }
    _ = try tokenizer.encode(text)
    for sample in [" w1 wzz w123", text.suffix(200).description] {
      #expect(try tokenizer.encode(sample) == fresh.encode(sample))
    }
  }

  @Test("many threads get the same ids")
  func threads() async throws {
    let tokenizer = try TokenizerGolden.tokenizer("digits")
    let texts = try TokenizerGolden.texts()
    let expected = try texts.map { try tokenizer.encode($0) }
    try await withThrowingTaskGroup(of: [[Int32]].self) { group in
      for _ in 0..<8 {
        group.addTask { try texts.map { try tokenizer.encode($0) } }
      }
      for try await ids in group { #expect(ids == expected) }
    }
  }

  @Test("canonically equal tokens are different tokens")
  func canonicalEquivalence() throws {
    let json = """
      {"added_tokens":[],"model":{"type":"BPE","unk_token":null,"vocab":{"\u{e9}":0,"e":1,\
      "\u{301}":2,"e\u{301}":3},"merges":[["e","\u{301}"]]}}
      """
    let tokenizer = try Tokenizer(tokenizerJSON: Data(json.utf8), source: "equal")
    #expect(try tokenizer.encode("\u{e9}e\u{301}") == [0, 3])
    #expect(tokenizer.id(of: "\u{e9}") == 0)
    #expect(tokenizer.id(of: "e\u{301}") == 3)
    #expect(tokenizer.vocabularySize == 4)
    #expect(tokenizer.token(2).map { Array($0.utf8) } == [0xCC, 0x81])
  }
}
