import Foundation
import Testing
import Tokenizers

@testable import Datasets

@Suite("Token stores")
struct TokenStoreTests {
  let folder = try? TemporaryFolder()

  private func source(_ text: String, _ options: RecordOptions? = nil) throws -> RecordSource {
    try RecordSource(
      #require(folder).file("a.txt", text),
      options: options ?? RecordOptions(separator: .blankLines)
    )
  }

  private func all(_ store: TokenStore) -> [TrainingSample] {
    (0..<store.summary.documents).map(store.document)
  }

  @Test("documents end with the end of text, and empty ones are left out")
  func documents() throws {
    let store = try TokenStore(source("ab\n\nc\n\nd"), encoder: byteEncoder)
    #expect(all(store).map(\.tokens) == [[97, 98, 256], [99, 256], [100, 256]])
    #expect(store.summary.tokens == 7)
    #expect(store.summary.counted == 7)
    #expect(store.summary.largestToken == 256)
    #expect(store.summary.records.records == 3)
    let json = try #require(folder).file("a.jsonl", "{\"text\": \"\"}\n{\"text\": \"a\"}")
    let other = try TokenStore(RecordSource(json), encoder: byteEncoder)
    #expect(all(other).map(\.tokens) == [[97, 256]])
    #expect(other.summary.withoutTokens == 1)
  }

  @Test("pieces of a long text are one document")
  func pieces() throws {
    let text = String(repeating: "0123456789abcdef\n", count: 300_000)
    let store = try TokenStore(source(text, RecordOptions()), encoder: LengthEncoder())
    #expect(store.summary.documents == 1)
    #expect(store.summary.tokens >= 2)
    #expect(all(store)[0].tokens.reduce(0, +) == 17 * 300_000)
  }

  /// One token: the number of bytes of the record.
  private struct LengthEncoder: RecordEncoder {
    let identity = "lengths"

    func encode(_ record: Record) -> TrainingSample? {
      guard case .text(let text) = record.content else { return nil }
      return TrainingSample([Int32(text.utf8.count)])
    }
  }

  @Test("the tokens do not depend on the number of threads or on where they are kept")
  func threads() throws {
    let source = try RecordSource("builtin:stories:300")
    let one = try TokenStore(source, encoder: byteEncoder, threadCount: 1)
    let many = try TokenStore(source, encoder: byteEncoder, threadCount: 7)
    let url = try #require(folder).url.appending(path: "cache")
    let kept = try TokenStore(source, encoder: byteEncoder, cacheFolder: url)
    #expect(all(one) == all(many))
    #expect(all(one) == all(kept))
    #expect(one.summary == kept.summary)
    #expect(!kept.isFromCache)
    let again = try TokenStore(source, encoder: byteEncoder, cacheFolder: url)
    #expect(again.isFromCache)
    #expect(all(again) == all(one))
    #expect(again.summary == one.summary)
    #expect(try FileManager.default.contentsOfDirectory(atPath: url.path).count == 1)
  }

  @Test("kept tokens are used only with the same data, options and encoder")
  func cacheKeys() throws {
    let url = try #require(folder).url.appending(path: "cache")
    func isCached(_ text: String, _ encoder: TextEncoder, _ options: RecordOptions) throws -> Bool {
      try TokenStore(source(text, options), encoder: encoder, cacheFolder: url).isFromCache
    }
    let other = TextEncoder(tokenizer: "other", endOfText: 256) { $0.utf8.map(Int32.init) }
    #expect(try !isCached("a\n\nb", byteEncoder, RecordOptions()))
    #expect(try isCached("a\n\nb", byteEncoder, RecordOptions()))
    #expect(try !isCached("a\n\nc", byteEncoder, RecordOptions()))
    #expect(try !isCached("a\n\nb", byteEncoder, RecordOptions(separator: .blankLines)))
    #expect(try !isCached("a\n\nb", other, RecordOptions()))
  }

  @Test("a damaged file is made anew", arguments: 0..<30)
  func damage(seed: UInt64) throws {
    let url = try #require(folder).url.appending(path: "cache")
    let source = try source("eins\n\nzwei\n\ndrei")
    let store = try TokenStore(source, encoder: byteEncoder, cacheFolder: url)
    let expected = all(store)
    let file = TokenFile(folder: url, key: store.key).url
    var bytes = Array(try Data(contentsOf: file))
    let whole = bytes
    var random = SplitMix(seed: seed)
    if seed.isMultiple(of: 2) {
      bytes.removeLast(1 + random.index(below: bytes.count))
    } else {
      bytes[random.index(below: bytes.count)] ^= 1 << UInt8(random.index(below: 8))
    }
    try Data(bytes).write(to: file)
    let again = try TokenStore(source, encoder: byteEncoder, cacheFolder: url)
    #expect(!again.isFromCache)
    #expect(all(again) == expected)
    #expect(Array(try Data(contentsOf: file)) == whole)
  }

  @Test("a folder that cannot be written is an error, and nothing is left behind on failure")
  func unwritable() throws {
    let folder = try #require(folder)
    let file = URL(filePath: try folder.file("plain", "x"))
    let source = try source("a")
    #expect(
      datasetError { _ = try TokenStore(source, encoder: byteEncoder, cacheFolder: file) }?.code
        == .unwritable
    )
    let url = folder.url.appending(path: "cache")
    let broken = try RecordSource(folder.file("b.jsonl", "{\"text\": \"a\"}\nx"))
    #expect(
      datasetError { _ = try TokenStore(broken, encoder: byteEncoder, cacheFolder: url) }?.code
        == .brokenRecord
    )
    #expect(try FileManager.default.contentsOfDirectory(atPath: url.path).isEmpty)
  }

  @Test("data of which no token counts is an error")
  func nothing() throws {
    let silent = TextEncoder(tokenizer: "silent", endOfText: nil) { _ in [] }
    let source = try source("a\n\nb")
    let error = datasetError { _ = try TokenStore(source, encoder: silent) }
    #expect(error?.code == .empty)
    #expect(error?.problem.contains("2 records") == true)
  }

  @Test("answers count, with what ends them; conversations without any are left out")
  func conversations() throws {
    let json = try #require(folder).file(
      "c.jsonl",
      #"{"question": "ab", "answer": "c"}"# + "\n" + #"{"question": "x", "answer": "yz"}"#
    )
    func encoder(answersOnly: Bool) -> ConversationEncoder {
      ConversationEncoder(
        identity: "test",
        answersOnly: answersOnly,
        render: { conversation in
          conversation.messages.flatMap { message in
            [
              ("<", false), ("\(message.content)>", message.role == "assistant"),
            ]
          }
        },
        encode: { $0.utf8.map(Int32.init) }
      )
    }
    let source = try RecordSource(json)
    let store = try TokenStore(source, encoder: encoder(answersOnly: true))
    let first = store.document(0)
    #expect(String(decoding: first.tokens.map(UInt8.init), as: UTF8.self) == "<ab><c>")
    #expect(first.counts == [false, false, false, false, false, true, true])
    #expect(store.summary.counted == 5)
    let counted = try TokenStore(source, encoder: encoder(answersOnly: false))
    #expect(counted.summary.counted == counted.summary.tokens)
    let mixed = MixedEncoder(text: byteEncoder, conversation: encoder(answersOnly: true))
    #expect(try TokenStore(source, encoder: mixed).document(0) == first)
    let text = try self.source("a")
    #expect(try TokenStore(text, encoder: mixed).document(0).tokens == [97, 256])
    #expect(
      datasetError { _ = try TokenStore(text, encoder: encoder(answersOnly: true)) }?.code
        == .brokenRecord
    )
    #expect(
      datasetError { _ = try TokenStore(source, encoder: byteEncoder) }?.code == .brokenRecord
    )
  }

  @Test("the last part is divided at a document's end, or inside if that would be far off")
  func splitting() throws {
    let text = (0..<20).map { _ in "123456789" }.joined(separator: "\n\n")
    let slice = try TokenStore(source(text), encoder: byteEncoder).all  // 20 · 10 tokens
    let (first, last) = try slice.split(lastFraction: 0.12)
    #expect(first.tokens == 0..<180)
    #expect(last.tokens == 180..<200)
    #expect(first.documents == 0..<18)
    #expect(last.documents == 18..<20)
    let (_, tiny) = try slice.split(lastFraction: 0.01, keepsDocumentsWhole: true)
    #expect(tiny.tokens == 190..<200)
    let (head, tail) = try slice.split(lastFraction: 0.01)
    #expect(tail.tokens == 198..<200)
    #expect(tail.documents == 19..<20)
    #expect(head.documents == 0..<20)
    let (inner, rest) = try tail.split(lastFraction: 0.5)
    #expect(inner.tokens == 198..<199)
    #expect(rest.tokens == 199..<200)
    for fraction in [0, 1, -0.5, 1.5, Double.nan] {
      #expect(throws: DatasetError.self) { try slice.split(lastFraction: fraction) }
    }
    let one = try TokenStore(source("abc"), encoder: byteEncoder).all
    #expect(
      datasetError { _ = try one.split(lastFraction: 0.1, keepsDocumentsWhole: true) }?.code
        == .tooShort
    )
  }
}
