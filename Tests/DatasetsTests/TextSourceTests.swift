import Foundation
import Testing

@testable import Datasets

@Suite("Text sources")
struct TextSourceTests {
  @Test("built-in texts are found by name, differ, and have more than one page")
  func builtins() throws {
    let calibration = try TextSource("builtin:calibration").read()
    let evaluation = try TextSource("builtin:evaluation").read()
    #expect(calibration.utf8.count > 60_000)
    #expect(evaluation.utf8.count > 20_000)
    let paragraphs = Set(calibration.split(separator: "\n").filter { $0.count > 40 })
    #expect(evaluation.split(separator: "\n").allSatisfy { !paragraphs.contains($0) })
  }

  @Test("an unknown built-in name is an error that lists the known ones")
  func unknownBuiltin() {
    #expect {
      try TextSource("builtin:evaluatoin")
    } throws: { error in
      "\(error)".contains("builtin:evaluatoin") && "\(error)".contains("builtin:calibration")
    }
  }

  @Test("anything else is a file's path, read byte for byte")
  func file() throws {
    let url = try temporaryFile(Array("\u{FEFF}line\r\nnext é\n".utf8))
    defer { try? FileManager.default.removeItem(at: url) }
    #expect(try TextSource(url.path).read() == "\u{FEFF}line\r\nnext é\n")
    #expect(TextSource.file(url).description == url.path)
  }

  @Test("the beginning of a text ends with a whole character, and what is all of it is told")
  func beginning() throws {
    let file = TextSource.file(try temporaryFile(Array("aé漢🦙".utf8)))
    let whole = ["", "a", "a", "aé", "aé", "aé", "aé漢", "aé漢", "aé漢", "aé漢"]
    for (count, text) in whole.enumerated().dropFirst() {
      let read = try file.read(first: count)
      #expect(read.text == text && !read.isWhole, "\(count)")
    }
    #expect(try file.read(first: 10) == ("aé漢🦙", true))
    #expect(try file.read(first: 1 << 40) == ("aé漢🦙", true))
    let invalid = TextSource.file(try temporaryFile([0x61, 0x80, 0x62, 0x63]))
    #expect(code { try invalid.read(first: 3).text } == .notUTF8)

    let stories = try TextSource("builtin:stories:5")
    let text = try stories.read()
    let start = try stories.read(first: 100)
    #expect(text.hasPrefix(start.text) && !start.isWhole && start.text.utf8.count > 96)
    #expect(try stories.read(first: text.utf8.count) == (text, true))
  }

  @Test("a missing file, a folder and an empty file are told apart")
  func unreadable() throws {
    let folder = FileManager.default.temporaryDirectory
    let empty = try temporaryFile([])
    defer { try? FileManager.default.removeItem(at: empty) }
    #expect(
      code { try TextSource.file(folder.appending(path: "absent.txt")).read() } == .unreadable
    )
    #expect(code { try TextSource.file(folder).read() } == .unreadable)
    #expect(code { try TextSource.file(empty).read() } == .empty)
  }

  @Test(
    "bytes that are not UTF-8 are reported with offset and line",
    arguments: [
      ([0x61, 0x0A, 0xFF, 0x62], "byte 2, line 2"),
      ([0xC3, 0xA9, 0xC3], "byte 2, line 1"),
      ([0xED, 0xA0, 0x80], "byte 0, line 1"),
      ([0x61, 0xC0, 0x80], "byte 1, line 1"),
      ([0xFF, 0xFE, 0x61, 0x00], "byte 0, line 1"),
    ] as [([UInt8], String)]
  )
  func notUTF8(bytes: [UInt8], place: String) {
    #expect {
      try TextSource.text(bytes, at: "x.txt")
    } throws: { error in
      let error = error as? DatasetError
      return error?.code == .notUTF8 && error?.location == "x.txt: \(place)"
    }
  }

  private func code(_ body: () throws -> String) -> DatasetError.Code? {
    do {
      _ = try body()
      return nil
    } catch {
      return (error as? DatasetError)?.code
    }
  }

  private func temporaryFile(_ bytes: [UInt8]) throws -> URL {
    let url = FileManager.default.temporaryDirectory.appending(path: "text-\(UUID()).txt")
    try Data(bytes).write(to: url)
    return url
  }
}
