import Foundation
import Testing

@testable import Datasets

/// The files were compressed by Python 3.11, `gzip.compress(…, 9, mtime=0)`.
@Suite("Gzip files")
struct GzipTests {
  let folder = try? TemporaryFolder()
  let text = "H4sIAAAAAAACA8vPS+UqKc9XOLySCwC2fxhZCwAAAA=="
  let lines = "H4sIAAAAAAACA6tWKkmtKFGyUlAqyShKTVWq5aqGi6TllxYBBQDwAs7vIwAAAA=="
  let members = "H4sIAAAAAAACA0vLLCouUeACAN5JwIYHAAAAH4sIAAAAAAACAytOTc7PS+ECAH7ADwYHAAAAAAAAAAA="

  private func bytes(_ base64: String) throws -> [UInt8] {
    Array(try #require(Data(base64Encoded: base64)))
  }

  @Test("texts and JSON lines are decompressed, whatever the chunks", arguments: [1, 2, 10, 1000])
  func files(chunk: Int) throws {
    let folder = try #require(folder)
    let plain = try folder.file("a.txt.gz", bytes(text))
    #expect(try RecordSource(plain).texts(chunk: chunk) == ["one\ntwo é\n"])
    let json = try folder.file("a.jsonl.gz", bytes(lines))
    #expect(try RecordSource(json).texts(chunk: chunk) == ["three", "four"])
    let unnamed = try folder.file("a.txt", bytes(text))
    #expect(try RecordSource(unnamed).texts(chunk: chunk) == ["one\ntwo é\n"])
  }

  @Test("members follow each other, and zeros after the last are padding", arguments: [1, 3, 1000])
  func members(chunk: Int) throws {
    let path = try #require(folder).file("m.gz", bytes(members))
    #expect(try RecordSource(path).texts(chunk: chunk) == ["first \nsecond\n"])
  }

  @Test("a file that is cut off anywhere is an error with the byte it ends at")
  func truncated() throws {
    let whole = try bytes(members).dropLast(5)
    let boundary = 27
    for count in 0..<whole.count where count != boundary {
      let path = try #require(folder).file("t.txt.gz", Array(whole.prefix(count)))
      let error = datasetError { _ = try RecordSource(path).all(chunk: 4) }
      #expect(error?.code == .corrupt, "\(count) bytes")
      #expect(error?.location.hasSuffix("t.txt.gz: byte \(count)") == true, "\(count) bytes")
      #expect(error?.problem == "the file is cut off")
    }
  }

  @Test("damaged bytes are an error or, where they do not matter, no difference")
  func damaged() throws {
    let whole = try bytes(text)
    for position in whole.indices {
      var bytes = whole
      bytes[position] ^= 0x10
      let path = try #require(folder).file("d.txt.gz", bytes)
      do {
        #expect(try RecordSource(path).texts() == ["one\ntwo é\n"])
      } catch {
        #expect((error as? DatasetError)?.code == .corrupt, "byte \(position)")
      }
    }
  }

  @Test("what is not gzip, before or after a member, is an error")
  func foreign() throws {
    let folder = try #require(folder)
    let named = try folder.file("n.txt.gz", "plain text")
    #expect(datasetError { _ = try RecordSource(named).all() }?.problem == "this is not gzip")
    let after = try folder.file("x.txt.gz", bytes(text) + Array("plain text".utf8))
    #expect(
      datasetError { _ = try RecordSource(after).all() }?.problem == "what follows is not gzip"
    )
  }
}
