import Foundation
import Testing

@testable import Datasets

@Suite("Plain text records")
struct PlainTextTests {
  let folder = try? TemporaryFolder()

  private func source(
    _ text: String,
    _ options: RecordOptions = RecordOptions()
  ) throws -> RecordSource {
    try RecordSource(#require(folder).file("a.txt", text), options: options)
  }

  @Test("a file without separators is one record, byte for byte, whatever the chunks")
  func whole() throws {
    let text = "\u{FEFF}é\r\nzwei\n\n🦊 drei"
    for chunk in [1, 2, 3, 7, 100] {
      #expect(try source(text).texts(chunk: chunk) == [text])
    }
  }

  @Test(
    "documents are separated by a text, a line or blank lines, whatever the chunks",
    arguments: [1, 2, 3, 5, 8, 13, 1000]
  )
  func separators(chunk: Int) throws {
    let marked = "eins é<|end|>\nzwei<|en\n<|end|><|end|>\n\n<|end|>drei 🦊\n"
    #expect(
      try source(marked, RecordOptions(separator: .text("<|end|>"))).texts(chunk: chunk)
        == ["eins é", "zwei<|en", "drei 🦊"]
    )
    let lines = "---\na\r\nb -- ---\r\n  --- \r\n---\nc\n---"
    #expect(
      try source(lines, RecordOptions(separator: .line("---"))).texts(chunk: chunk)
        == ["a\r\nb -- ---", "c"]
    )
    let blank = "\n\na\nb\n \t\r\n\nc\n\n\n"
    #expect(
      try source(blank, RecordOptions(separator: .blankLines)).texts(chunk: chunk)
        == ["a\nb", "c"]
    )
  }

  @Test("a long document comes in pieces that make up the whole and break no character")
  func pieces() throws {
    for separator in [DocumentSeparator.none, .text("#"), .line("#"), .blankLines] {
      let paragraph = "ein Satz mit é und 🦊 darin\nund noch einer\n"
      let text = String(repeating: paragraph, count: 20)
      for limit in [8, 9, 10, 11, 40] {
        let bytes = try FileBytes(
          .init(filePath: #require(folder).file("p.txt", text)),
          chunkByteCount: 16
        )
        let records = TextRecords(
          bytes,
          location: "p",
          separator: separator,
          pieceByteCount: limit
        )
        var all: [Record] = []
        while let record = try records.next() { all.append(record) }
        let joined = all.map {
          guard case .text(let text) = $0.content else { return "" }
          return text
        }.joined()
        #expect(joined == (separator == .none ? text : String(text.dropLast())))
        #expect(all.count > 10)
        #expect(all.map(\.startsDocument) == [true] + all.dropFirst().map { _ in false })
        #expect(all.map(\.endsDocument) == all.dropLast().map { _ in false } + [true])
      }
    }
  }

  @Test("pieces end where tokenizers cut, if there is such a place")
  func goodCuts() throws {
    let text = "abc\ndef\n\n ghi\njkl mno pqr stu"
    let path = try #require(folder).file("c.txt", text)
    var cutter = TextCutter(
      try FileBytes(.init(filePath: path), chunkByteCount: 100),
      separator: "",
      pieceByteCount: 16
    )
    let first = try cutter.next()
    #expect(first.map { String(decoding: $0.bytes, as: UTF8.self) } == "abc\ndef\n\n ghi\n")
    #expect(first?.endsDocument == false)
    let second = try cutter.next()
    #expect(second?.line == 5)
  }

  @Test("bytes that are not UTF-8 are reported with their place in the file")
  func invalid() throws {
    let bytes = Array("eins\n\nzwei\n".utf8) + [0xC3, 0x28]
    let path = try #require(folder).file("b.txt", bytes)
    for separator in [DocumentSeparator.none, .blankLines, .text("zw")] {
      let options = RecordOptions(separator: separator)
      let error = datasetError { _ = try RecordSource(path, options: options).all(chunk: 3) }
      #expect(error?.code == .notUTF8)
      #expect(error?.location.hasSuffix("b.txt: byte 11, line 4") == true)
    }
  }

  @Test("folders and patterns give their texts in the order of paths")
  func folders() throws {
    let folder = try #require(folder)
    try folder.file("d/b.txt", "2")
    try folder.file("d/a.txt", "1")
    try folder.file("d/z/c.md", "4")
    try folder.file("d/c.jsonl", "{\"text\": \"3\"}")
    try folder.file("d/.hidden.txt", "no")
    try folder.file("d/picture.png", "no")
    try folder.file("d/empty.txt", "")
    let all = try RecordSource(folder.url.path + "/d").all()
    #expect(try RecordSource(folder.url.path + "/d").texts() == ["1", "2", "3", "4"])
    #expect(all.counts.files == 5)
    #expect(all.counts.records == 4)
    #expect(all.counts.forms == ["plain text", "texts in `text`"])
    #expect(try RecordSource(folder.url.path + "/d/[ab].txt").texts() == ["1", "2"])
    #expect(try RecordSource(folder.url.path + "/d/*.txt").all().counts.files == 3)
  }

  @Test("data without a record, and names of nothing, are errors")
  func nothing() throws {
    let folder = try #require(folder)
    let empty = try folder.file("e.txt", "")
    #expect(datasetError { _ = try RecordSource(empty).all() }?.code == .empty)
    let blank = RecordOptions(separator: .blankLines)
    let lines = try folder.file("l.txt", "\n\n \n")
    #expect(datasetError { _ = try RecordSource(lines, options: blank).all() }?.code == .empty)
    let path = folder.url.path
    #expect(datasetError { _ = try RecordSource(path + "/absent.txt") }?.code == .unreadable)
    #expect(datasetError { _ = try RecordSource(path + "/*.none") }?.code == .empty)
    #expect(datasetError { _ = try RecordSource("") }?.code == .unreadable)
    #expect(datasetError { _ = try RecordSource("builtin:storys") }?.code == .unknownBuiltin)
    try folder.file("f/x.png", "x")
    #expect(datasetError { _ = try RecordSource(path + "/f") }?.code == .empty)
    for separator in [DocumentSeparator.text(""), .line(""), .line(" "), .line("a\nb")] {
      let options = RecordOptions(separator: separator)
      #expect(
        datasetError { _ = try RecordSource(lines, options: options) }?.code == .invalidOptions
      )
    }
    #expect(
      datasetError { _ = try RecordSource(lines, options: .init(limit: 0)) }?.code
        == .invalidOptions
    )
  }

  @Test("built-in texts are sources too, and a limit counts records")
  func builtins() throws {
    let options = RecordOptions(separator: .blankLines, limit: 3)
    #expect(try RecordSource("builtin:calibration", options: options).texts().count == 3)
    #expect(
      try RecordSource("builtin:evaluation").texts() == [TextSource.builtinEvaluation.read()]
    )
    #expect(try RecordSource("builtin:stories:7").texts().count == 7)
    let stories = try RecordSource("builtin:stories:validation:2").texts()
    #expect(stories == [0, 1].map(StorySelection(count: 2, isValidation: true).story))
  }

  @Test("the content's hash changes with bytes and options, not with names")
  func contentHash() throws {
    let folder = try #require(folder)
    let (a, b) = (try folder.file("h1.txt", "same"), try folder.file("h2.txt", "same"))
    let c = try folder.file("h3.txt", "other")
    #expect(try RecordSource(a).contentHash() == RecordSource(b).contentHash())
    #expect(try RecordSource(a).contentHash() != RecordSource(c).contentHash())
    let options = RecordOptions(separator: .blankLines)
    #expect(try RecordSource(a).contentHash() != RecordSource(a, options: options).contentHash())
  }
}
