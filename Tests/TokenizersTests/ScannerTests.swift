import Testing

@testable import Tokenizers

@Suite("Hand-written scanners find what their patterns find")
struct ScannerTests {
  private static let names = ["gpt2", "digits", "llama3", "qwen2"]

  @Test("on random text of all of Unicode", arguments: names)
  func randomText(name: String) throws {
    let fast = try TokenizerGolden.tokenizer(name)
    let slow = try TokenizerGolden.tokenizer(name, usesScanners: false)
    #expect(Scanner(fast.preTokenizers) != nil)
    for text in RandomTexts(seed: 11).prefix(3000) {
      #expect(try fast.encode(text) == slow.encode(text), "\(text.debugDescription)")
    }
  }

  @Test("on every code point between letters, digits, spaces and newlines")
  func everyCodePoint() throws {
    let steps: [[any PreTokenizer]] = try [
      [byteLevel(usesPattern: true)],
      [Digits(isIndividual: true), byteLevel(usesPattern: true)],
      [split(Scanner.llama3Pattern3), byteLevel(usesPattern: false)],
    ]
    // A stride that is prime to the page size reaches every kind of page within reasonable time.
    for steps in steps {
      let scanner = try #require(Scanner(steps))
      var text: [UInt8] = []
      for value in Swift.stride(from: UInt32(0), to: 0x11_0000, by: 7) {
        guard let scalar = Unicode.Scalar(value) else { continue }
        for neighbour in ["a", "1", " ", "\n", "!"][Int(value % 5)].utf8 { text.append(neighbour) }
        text.append(scalar)
      }
      var list = PieceList(
        text: text,
        pieces: [.init(start: 0, end: text.count, isAtOrigin: true)]
      )
      for var step in steps {
        if var last = step as? ByteLevel {
          last.mapsBytes = false
          step = last
        }
        try step.apply(&list)
      }
      var pieces: [Range<Int>] = []
      try text.withUnsafeBufferPointer { bytes in
        try scanner.forEachPiece(in: bytes, 0..<bytes.count) { start, end in
          pieces.append(start..<end)
        }
      }
      #expect(pieces == list.pieces.map { $0.start..<$0.end })
    }
  }

  private let location = TokenizerError.Location(source: "test", path: "")

  private func byteLevel(usesPattern: Bool) throws -> ByteLevel {
    ByteLevel(
      addsPrefixSpace: false,
      expression: usesPattern ? try RegularExpression(ByteLevel.pattern, at: location) : nil
    )
  }

  private func split(_ pattern: String) throws -> Split {
    Split(
      pattern: .expression(try RegularExpression(pattern, at: location)),
      behavior: .isolated,
      isInverted: false
    )
  }
}
