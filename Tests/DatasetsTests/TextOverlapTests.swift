import Foundation
import Testing

@testable import Datasets

@Suite("Overlap of texts")
struct TextOverlapTests {
  private func overlap(_ text: String, _ others: String...) -> TextOverlap {
    var overlap = TextOverlap(of: text)
    for other in others { overlap.add(other) }
    return overlap
  }

  /// Text without repetitions.
  private func words(_ count: Int, seed: Int) -> String {
    var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return String(state >> 20, radix: 36)
    }.joined(separator: " ")
  }

  @Test("built-in texts to calibrate and to measure on have nothing in common")
  func builtins() throws {
    let evaluation = try TextSource.builtinEvaluation.read()
    let found = overlap(evaluation, try TextSource.builtinCalibration.read())
    #expect(found.windowCount > 20_000)
    #expect(found.seenCount == 0, "\(found.example ?? "")")
    var stories = TextOverlap(of: evaluation)
    for story in StorySelection(count: 500).stories { stories.add(story) }
    #expect(stories.seenCount == 0)
  }

  @Test("a text occurs in itself, with other line breaks and capitals too")
  func same() {
    let text = words(200, seed: 1)
    let other = text.uppercased().replacing(" ", with: " \n\t")
    for found in [overlap(text, text), overlap(text, other), overlap(text, "x " + other + " y")] {
      #expect(found.share == 1 && found.windowCount > 1000)
      #expect(found.example.map { text.hasPrefix($0) } ?? false)
    }
  }

  @Test("the share is that of the windows seen, however often")
  func share() {
    let (first, second) = (words(100, seed: 2), words(100, seed: 3))
    let text = first + " " + second
    let found = overlap(text, second, "…" + second)
    #expect(abs(found.share - 0.5) < 0.05)
    #expect(found.example.map { second.hasPrefix($0.suffix(20)) || second.contains($0) } ?? false)
    #expect(overlap(text, words(100, seed: 4)).seenCount == 0)
    // 49 bytes are no window.
    #expect(overlap(text, String(text.dropFirst(100).prefix(49))).seenCount == 0)
    #expect(overlap(text, String(text.dropFirst(100).prefix(51)) + "~").seenCount > 0)
  }

  @Test("short texts and rules of dashes have no windows")
  func few() {
    for text in [
      "", "short", String(repeating: "-", count: 200), String(repeating: "ab ", count: 99),
    ] {
      let found = overlap(text, text)
      #expect(found.windowCount == 0 && found.share == 0 && found.example == nil)
    }
  }

  @Test("characters cut in two do not show")
  func characters() {
    let text = (0..<200).map { "\(String(UnicodeScalar(0x4E00 + $0 * 7) ?? " "))" }.joined()
    let found = overlap(text, String(text.dropFirst(3)))
    #expect(found.share > 0.9)
    #expect(found.example?.contains("\u{FFFD}") == false)
  }

  @Test("of a text of megabytes some windows are looked for, of all texts the same")
  func large() {
    let text = words(160_000, seed: 5)
    let found = overlap(text, text)
    #expect(text.utf8.count > 1 << 20)
    #expect(found.windowCount < 1_300_000 && found.windowCount > 300_000)
    #expect(found.share == 1)
  }
}
