import Foundation
import Pipeline
import TestSupport
import Testing

@Suite("Runs with a new model")
struct NewModelRunTests {
  private let tiny: TinyModel
  private let folder: URL

  init() throws {
    tiny = try TinyModel()
    folder = tiny.result("run")
  }

  private static func text(_ tokenizer: URL) -> String {
    """
    model:
      new:
        hidden_size: 64
        layers: 2
        heads: 4
        key_value_heads: 2
        feed_forward_size: 96
        context_length: 64
        tokenizer: \(tokenizer.path)
    evaluation: {}
    stages:
      - test.scale: { factor: 2 }
      - test.dump: { path: half.txt }
      - restore.baseline
      - test.dump: { path: out/full }
    """
  }

  private func run(_ overrides: [String] = [], log: EventLog = EventLog()) throws -> RunReport {
    try RunnerTests.run(Self.text(tiny.url), in: folder, overrides, log: log)
  }

  @Test("make it first, measure it as the baseline, and go on from it")
  func complete() throws {
    let log = EventLog()
    let report = try run(log: log)
    #expect(log.begun == ["00-model", "baseline", "01-test.scale", "02-test.dump", "04-test.dump"])
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/00-model")
    #expect(files.sorted() == ["checkpoint", "done.json"])
    #expect(report.model.source == "new llama (2 layers, hidden size 64, vocabulary 264)")
    #expect(report.entries[0].path == "00-model")
    #expect(report.entries[0].numbers["perplexity"] == 20)
    let half = try String(contentsOf: folder.appending(path: "half.txt"), encoding: .utf8)
    let full = try String(contentsOf: folder.appending(path: "out/full"), encoding: .utf8)
    #expect(half != full)
    let places = log.events.compactMap { event -> [Int]? in
      if case .began(let index, let count, _) = event { [index, count] } else { nil }
    }
    #expect(places == [[0, 5], [1, 5], [2, 5], [3, 5], [4, 5]])
  }

  @Test("do nothing again that is done, and everything that a change concerns")
  func resumed() throws {
    _ = try run()
    let before = try RunnerTests.results(folder)
    let log = EventLog()
    _ = try run(log: log)
    #expect(log.begun.isEmpty)
    #expect(log.skipped.first == "00-model")
    let seeded = EventLog()
    _ = try run(["seed=5"], log: seeded)
    #expect(seeded.begun.contains("00-model"))
    #expect(seeded.notes.contains("replacing 00-model: the recipe or its inputs changed"))
    let after = try RunnerTests.results(folder)
    #expect(before.keys == after.keys)
    #expect(before["half.txt"] != after["half.txt"])
    // A shard that was cut is made again, with the same bytes.
    let shard = folder.appending(path: "00-model/checkpoint/model-00001-of-00003.safetensors")
    try Data("cut".utf8).write(to: shard)
    let cut = EventLog()
    _ = try run(["seed=5"], log: cut)
    #expect(cut.begun == ["00-model"])
    #expect(try RunnerTests.results(folder) == after)
  }

  @Test("remove it when the recipe starts from another model")
  func removed() throws {
    _ = try run()
    let log = EventLog()
    try RunnerTests.run(in: folder, log: log)
    #expect(log.notes.contains("removing 00-model: the recipe starts from another model"))
    #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "00-model").path))
  }

  @Test("that are killed go on and end with the same bytes", .timeLimit(.minutes(3)))
  func killed() async throws {
    let start = ContinuousClock.now
    _ = try run()
    let seconds = ResourceMeterTests.seconds(since: start)
    let expected = try RunnerTests.results(folder)
    let other = tiny.result("killed")
    let (path, text) = (other.path, Self.text(tiny.url))
    for attempt in 0..<8 {
      let delay = UInt32(seconds * 1e6 * Double(attempt) / 7)
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = path as String, text = text as String, delay = delay as UInt32] in
        Thread.detachNewThread {
          usleep(delay)
          kill(getpid(), SIGKILL)
        }
        try RunnerTests.run(text, in: URL(filePath: path))
        kill(getpid(), SIGKILL)
      }
    }
    try RunnerTests.run(text, in: other)
    #expect(try RunnerTests.results(other) == expected)
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(!names.contains { $0.hasSuffix(".partial") })
    withExtendedLifetime(tiny) {}
  }
}
