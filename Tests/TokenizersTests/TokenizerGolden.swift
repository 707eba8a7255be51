import Foundation

@testable import Tokenizers

/// The files that Tests/Golden/tokenizer_files.py writes.
struct TokenizerGolden: Decodable {
  let ids: [[Int32]]
  let special: [[Int32]?]
  let decoded: [String?]
  let skipped: [String?]

  static let names = [
    "gpt2", "digits", "llama3", "qwen2", "cased", "prefixed", "sentencepiece", "metaspace",
    "unigram", "wordlevel", "suffixed",
  ]

  static func data(_ file: String) throws -> Data {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    return try Data(contentsOf: tests.appending(path: "Golden/tokenizers/\(file)"))
  }

  static func texts() throws -> [String] {
    try JSONDecoder().decode([String].self, from: data("torture.json"))
  }

  static func read(_ name: String) throws -> TokenizerGolden {
    try JSONDecoder().decode(TokenizerGolden.self, from: data("\(name).ids.json"))
  }

  static func tokenizer(_ name: String, usesScanners: Bool = true) throws -> Tokenizer {
    let parts = try TokenizerFile.read(
      data("\(name).tokenizer.json"),
      source: name,
      usesScanners: usesScanners
    )
    return Tokenizer(parts)
  }
}

/// Texts of random characters, from a seed.
struct RandomTexts: IteratorProtocol, Sequence {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// SplitMix64: Steele, Lea and Flood, *Fast Splittable Pseudorandom Number Generators*, 2014.
  mutating func number() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  mutating func number(below limit: Int) -> Int { Int(number() % UInt64(limit)) }

  mutating func next() -> String? {
    let common = Array("ab 1'\n\r\t. !éſsStTlLvVrReEdDmM".unicodeScalars)
    var scalars = String.UnicodeScalarView()
    for _ in 0..<number(below: 60) {
      if number(below: 3) > 0 {
        scalars.append(common[number(below: common.count)])
      } else if let scalar = Unicode.Scalar(UInt32(number(below: 0x11_0000))) {
        scalars.append(scalar)
      }
    }
    return String(scalars)
  }
}
