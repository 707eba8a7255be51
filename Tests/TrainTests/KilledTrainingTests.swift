import Foundation
import Glibc
import Testing

@testable import Train

/// A process that trains is killed by SIGKILL at moments nobody chose, mostly while it saves.
@Suite("Killed trainings", .serialized)
struct KilledTrainingTests {
  /// Where the processes of one test run work: named for the process of the tests.
  static func folder(of process: pid_t) -> URL {
    FileManager.default.temporaryDirectory.appending(path: "killed-training-\(process)")
  }

  static func loop(_ problem: Problem) -> TrainingLoop<Targets> {
    var options = TrainingOptions(schedule: .linear(peak: 0.05, steps: 60, warmupSteps: 2))
    options.average = MovingAverage.Options(decay: 0.9)
    options.checkpointInterval = 1
    options.validationInterval = 2
    return problem.loop(AdamW(moments: .eightBit), options)
  }

  @Test("the result is that of a training that was left alone")
  func killed() async throws {
    let folder = Self.folder(of: getpid())
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for milliseconds in [40, 97, 151, 213] {
      try Data("\(milliseconds)".utf8).write(to: folder.appending(path: "delay"))
      await #expect(processExitsWith: .signal(SIGKILL)) {
        let folder = KilledTrainingTests.folder(of: getppid())
        let text = try String(contentsOf: folder.appending(path: "delay"), encoding: .utf8)
        let delay = try #require(UInt32(text))
        Thread.detachNewThread {
          usleep(1000 * delay)
          kill(getpid(), SIGKILL)
        }
        _ = try KilledTrainingTests.loop(Problem()).run(folder: folder)
        while true { sleep(1) }
      }
    }
    let straight = try TemporaryFolder()
    let (whole, broken) = (Problem(), Problem())
    let expected = try Self.loop(whole).run(folder: straight.url)
    #expect(try Self.loop(broken).run(folder: folder) == expected)
    #expect(broken.bits == whole.bits)
    #expect(
      try Data(contentsOf: folder.appending(path: "metrics.jsonl"))
        == straight.bytes("metrics.jsonl")
    )
  }
}
