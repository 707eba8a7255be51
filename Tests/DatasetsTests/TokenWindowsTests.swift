import Testing

@testable import Datasets

@Suite("Token windows")
struct TokenWindowsTests {
  @Test("windows lie side by side and the incomplete one at the end is dropped")
  func cutting() throws {
    let windows = try TokenWindows(Array(0..<10), length: 4, source: "x")
    #expect(windows.count == 2)
    #expect(windows[0] == [0, 1, 2, 3])
    #expect(windows[1] == [4, 5, 6, 7])
    #expect(windows.droppedCount == 2)
  }

  @Test("a limit counts tokens of the text, and what does not fill a window is dropped again")
  func limit() throws {
    let windows = try TokenWindows(Array(0..<100), length: 4, limit: 11, source: "x")
    #expect(windows.tokens == Array(0..<8))
    #expect(windows.droppedCount == 3)
    #expect(try TokenWindows(Array(0..<9), length: 3, limit: 1000, source: "x").count == 3)
  }

  @Test("too short a text is an error with both counts", arguments: [0, 1, 7])
  func tooShort(count: Int) {
    #expect {
      try TokenWindows(Array(repeating: 5, count: count), length: 8, source: "notes.txt")
    } throws: { error in
      let error = error as? DatasetError
      return error?.code == .tooShort && error?.location == "notes.txt"
        && error?.problem == "\(count) tokens do not fill one window of 8"
    }
  }

  @Test("limits and lengths that leave nothing are errors, never traps")
  func extremes() {
    for (length, limit) in [(0, 5), (-3, 5), (4, 0), (4, -1), (Int.max, 5), (4, 3)] {
      #expect(throws: DatasetError.self) {
        try TokenWindows(Array(0..<20), length: length, limit: limit, source: "x")
      }
    }
  }

  @Test("a sample has each window once, in order, and depends on the seed only")
  func sampling() throws {
    let windows = try TokenWindows(Array(0..<400), length: 4, source: "x")
    var (first, second) = (Seeded(state: 3), Seeded(state: 3))
    let sample = windows.sample(20, using: &first)
    #expect(sample == windows.sample(20, using: &second))
    #expect(sample.count == 20)
    #expect(Set(sample.map { $0[0] }).count == 20)
    #expect(sample.map { $0[0] } == sample.map { $0[0] }.sorted())
    #expect(windows.sample(1000, using: &first).count == 100)
  }

  private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }
}
