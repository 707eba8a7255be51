import Foundation
import Pipeline
import Testing

@Suite("Killed runs")
struct KilledRunTests {
  @Test("go on and end with the same bytes", .timeLimit(.minutes(3)))
  func killed() async throws {
    let whole = try TemporaryFolder()
    let start = ContinuousClock.now
    try RunnerTests.run(in: whole.url)
    let seconds = ResourceMeterTests.seconds(since: start)
    let expected = try RunnerTests.results(whole.url)
    let folder = try TemporaryFolder()
    let path = folder.url.path
    for attempt in 0..<12 {
      // The process dies at another moment every time, sometimes not before the run is done.
      let delay = UInt32(seconds * 1e6 * Double(attempt) / 10)
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [path = path as String, delay = delay as UInt32] in
        Thread.detachNewThread {
          usleep(delay)
          kill(getpid(), SIGKILL)
        }
        try RunnerTests.run(in: URL(filePath: path))
        kill(getpid(), SIGKILL)
      }
    }
    try RunnerTests.run(in: folder.url)
    #expect(try RunnerTests.results(folder.url) == expected)
    let names = try FileManager.default.contentsOfDirectory(atPath: path)
    #expect(!names.contains { $0.hasSuffix(".partial") })
  }
}
