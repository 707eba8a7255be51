import Foundation
import Testing

@testable import Tokenizers

@Suite("Single sections do what the tokenizers library does")
struct SectionTests {
  private func read() throws -> JSONValue {
    try JSONDocument(Array(TokenizerGolden.data("sections.json")), source: "sections.json").root
  }

  private func string(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Array(bytes), as: UTF8.self)
  }

  @Test("pre-tokenizers")
  func preTokenizers() throws {
    let root = try read()
    let texts = try root.required("texts").elements()
    for entry in try root.required("pre_tokenizers").elements() {
      let section = try entry.required("section")
      let steps = try PreTokenizerReader.read(section)
      for (text, golden) in zip(texts, try entry.required("pieces").elements()) {
        let bytes = try text.bytes()
        var list = PieceList(
          text: bytes,
          pieces: [.init(start: 0, end: bytes.count, isAtOrigin: true)]
        )
        for step in steps { try step.apply(&list) }
        let pieces = list.pieces.filter { $0.start < $0.end }.map {
          Array(list.text[$0.start..<$0.end])
        }
        let expected = try golden.elements().map { try $0.bytes() }.filter { !$0.isEmpty }
        let what = "\(section.canonicalText) on \(string(bytes).debugDescription)"
        #expect(
          pieces == expected,
          "\(what): \(pieces.map(string)) instead of \(expected.map(string))"
        )
      }
    }
  }

  @Test("normalizers")
  func normalizers() throws {
    let root = try read()
    let texts = try root.required("texts").elements()
    for entry in try root.required("normalizers").elements() {
      let section = try entry.required("section")
      let normalizer = try NormalizerReader.read(section)
      for (text, golden) in zip(texts, try entry.required("normalized").elements()) {
        var normalized = NormalizedText(bytes: try text.bytes(), startsAtOrigin: true)
        try normalizer.normalize(&normalized)
        let expected = try golden.bytes()
        let what = "\(section.canonicalText) on \(try text.string().debugDescription)"
        let got = string(normalized.bytes).debugDescription
        #expect(
          normalized.bytes == expected,
          "\(what): \(got) instead of \(string(expected).debugDescription)"
        )
      }
    }
  }
}
