import Foundation
import Tensor
import Testing

@testable import Distill
@testable import Evaluate

@Suite("Kept outputs of a teacher")
struct TeacherCacheTests {
  private static func known(_ seed: UInt64, rows: Int, vocabulary: Int, count: Int)
    -> MostLikelyTokens
  {
    var random = Random(seed: seed)
    return MostLikelyTokens(
      of: random.normal([rows, vocabulary], deviation: 3),
      count: count
    )
  }

  private static let description = TeacherCache.Description(
    teacher: "t",
    vocabulary: 1000,
    topK: 16,
    temperature: 1
  )

  private static func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "cache-\(UUID())")
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  @Test("take at most 300 bytes a token", arguments: [2048, 49_152, 128_256, 151_936, 262_144])
  func size(vocabulary: Int) {
    #expect(TokenCoding(count: 64, vocabulary: vocabulary).byteCount <= 300)
  }

  @Test("have the same tokens, and probabilities to 2e-4 of them", arguments: [17, 1000, 70_000])
  func roundTrip(vocabulary: Int) throws {
    let known = Self.known(5, rows: 9, vocabulary: vocabulary, count: 16)
    let coding = TokenCoding(count: 16, vocabulary: vocabulary)
    var data = Data()
    coding.encode(known, into: &data)
    #expect(data.count == 9 * coding.byteCount)
    let decoded = try #require(coding.decode(data))
    #expect(decoded.tokens == known.tokens)
    for (a, b) in zip(decoded.probabilities, known.probabilities) { #expect(abs(a / b - 1) < 2e-4) }
    for row in 0..<9 {
      let sum = decoded.probabilities[row * 16..<row * 16 + 16].reduce(decoded.rest[row], +)
      #expect(abs(sum - 1) < 1e-5)
    }
    // What was decoded is what is decoded again.
    var again = Data()
    coding.encode(decoded, into: &again)
    #expect(coding.decode(again)?.tokens == known.tokens)
  }

  @Test("are computed once for each row, also by another process")
  func once() throws {
    try Self.withFolder { folder in
      let row: [Int32] = [1, 2, 3, 4]
      let key = TeacherCache.key(row[...], starts: [0, 0, 0, 0])
      #expect(key != TeacherCache.key(row[...], starts: [0, 0, 2, 2]))
      var calls = 0
      func ask(_ cache: TeacherCache, _ key: Data) throws -> MostLikelyTokens {
        try cache.row(key, positions: 4) {
          calls += 1
          return Self.known(1, rows: 4, vocabulary: 1000, count: 16)
        }
      }
      do {
        let cache = try TeacherCache(folder, Self.description)
        let first = try ask(cache, key)
        #expect(try ask(cache, key).probabilities == first.probabilities)
        #expect(calls == 1 && cache.added == 1 && cache.found == 1)
        #expect(throws: EvaluateError.self) { try TeacherCache(folder, Self.description) }
      }
      let cache = try TeacherCache(folder, Self.description)
      _ = try ask(cache, key)
      #expect(calls == 1)
      _ = try ask(cache, TeacherCache.key(row[...], starts: [0, 0, 2, 2]))
      #expect(calls == 2)
    }
  }

  @Test("of another teacher, temperature or size are not used")
  func others() throws {
    try Self.withFolder { folder in
      let cache = try TeacherCache(folder, Self.description)
      for change: (inout TeacherCache.Description) -> Void in [
        { $0.teacher = "u" }, { $0.temperature = 2 }, { $0.topK = 8 }, { $0.vocabulary = 999 },
        { $0.tokens = "other ids" },
      ] {
        var description = Self.description
        change(&description)
        #expect(try TeacherCache(folder, description).file != cache.file)
      }
    }
  }

  @Test("that lie in another's place are replaced, with a note")
  func replaced() throws {
    try Self.withFolder { folder in
      var file: URL
      do {
        let cache = try TeacherCache(folder, Self.description)
        file = cache.file
        _ = try cache.row(Data(count: 16), positions: 2) {
          Self.known(1, rows: 2, vocabulary: 1000, count: 16)
        }
      }
      let described = file.deletingLastPathComponent().appending(path: "teacher.json")
      try Data("{}".utf8).write(to: described)
      let cache = try TeacherCache(folder, Self.description)
      #expect(cache.notes.count == 1)
      #expect(try Data(contentsOf: file).isEmpty)
    }
  }

  @Test("that were cut off or damaged are computed again")
  func damaged() throws {
    try Self.withFolder { folder in
      func ask(_ cache: TeacherCache, _ number: UInt8) throws -> MostLikelyTokens {
        try cache.row(Data(repeating: number, count: 16), positions: 2) {
          Self.known(UInt64(number), rows: 2, vocabulary: 1000, count: 16)
        }
      }
      var file = folder
      var expected: [Int32] = []
      do {
        let cache = try TeacherCache(folder, Self.description)
        file = cache.file
        _ = try ask(cache, 1)
        expected = try ask(cache, 2).tokens
      }
      var bytes = try Data(contentsOf: file)
      let length = bytes.count / 2
      bytes[length - 5] ^= 0x10
      try bytes.dropLast(7).write(to: file)
      let cache = try TeacherCache(folder, Self.description)
      #expect(try Data(contentsOf: file).count == length)
      #expect(try ask(cache, 2).tokens == expected && cache.added == 1)
      _ = try ask(cache, 1)
      #expect(cache.added == 2 && cache.notes.count == 2)
      #expect(cache.cutOff == length - 7)
    }
  }

  @Test("that lie behind a damaged number of positions are cut off, which is said")
  func damagedPositions() throws {
    try Self.withFolder { folder in
      func ask(_ cache: TeacherCache, _ number: UInt8) throws {
        _ = try cache.row(Data(repeating: number, count: 16), positions: 2) {
          Self.known(UInt64(number), rows: 2, vocabulary: 1000, count: 16)
        }
      }
      var file = folder
      do {
        let cache = try TeacherCache(folder, Self.description)
        file = cache.file
        for number in 1...3 { try ask(cache, UInt8(number)) }
      }
      var bytes = try Data(contentsOf: file)
      let length = bytes.count / 3
      bytes[length + 18] = 0xFF
      try bytes.write(to: file)
      let cache = try TeacherCache(folder, Self.description)
      #expect(cache.cutOff == 2 * length)
      #expect(cache.notes == ["\(2 * length) bytes at the end are no whole row and were cut off"])
      for number in 1...3 { try ask(cache, UInt8(number)) }
      #expect(cache.found == 1 && cache.added == 2)
    }
    try Self.withFolder { folder in
      let cache = try TeacherCache(folder, Self.description)
      #expect(cache.cutOff == nil)
    }
  }
}
