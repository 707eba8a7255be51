import Foundation
import Tensor
import TestSupport
import Testing

@testable import Train

@Suite("Resuming a training")
struct ResumptionTests {
  static let rules: [any Optimizer] = [
    AdamW(), AdamW(moments: .eightBit), Lion(),
    StochasticGradientDescent(momentum: 0.9, isNesterov: true), StochasticGradientDescent(),
  ]

  private func options(_ steps: Int = 20) -> TrainingOptions {
    var options = TrainingOptions(schedule: .cosine(peak: 0.05, steps: steps, warmupSteps: 2))
    options.partsPerStep = 3
    options.average = MovingAverage.Options(decay: 0.9)
    options.validationInterval = 4
    options.checkpointInterval = 5
    return options
  }

  private func problem() -> Problem {
    let problem = Problem()
    problem.counts = [1, 3, 2]
    return problem
  }

  /// Trains until a step, as if the process was killed after it.
  private func train(
    _ rule: any Optimizer,
    _ options: TrainingOptions,
    in folder: TemporaryFolder,
    killedAfter step: Int,
    with error: any Error = Killed()
  ) {
    var loop = problem().loop(rule, options)
    loop.onProgress = { if $0.step == step { throw error } }
    #expect(throws: (any Error).self) { try loop.run(folder: folder.url) }
  }

  @Test(
    "killed and resumed, the result and the metrics are the same bits",
    arguments: 0..<rules.count
  )
  func killed(index: Int) throws {
    let rule = Self.rules[index]
    let (straight, broken) = (try TemporaryFolder(), try TemporaryFolder())
    let whole = problem()
    let expected = try whole.loop(rule, options()).run(folder: straight.url)
    for step in [3, 9, 13, 20] { train(rule, options(), in: broken, killedAfter: step) }
    let again = problem()
    let result = try again.loop(rule, options()).run(folder: broken.url)
    #expect(again.bits == whole.bits)
    #expect(result == expected)
    let lines = try straight.bytes("metrics.jsonl")
    #expect(try broken.bytes("metrics.jsonl") == lines)
    #expect(lines.split(separator: UInt8(ascii: "\n")).count == 21)
    for line in lines.split(separator: UInt8(ascii: "\n")) {
      let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Double]
      #expect(object?["step"] != nil)
    }
    #expect(try broken.names(in: "state") == straight.names(in: "state"))
    for name in try straight.names(in: "state") where name.hasSuffix(".safetensors") {
      #expect(try broken.bytes("state/\(name)") == straight.bytes("state/\(name)"))
    }
  }

  @Test("without average, validation and accumulation too, updating while gradients become known")
  func killedFused() throws {
    var options = options()
    options.partsPerStep = 1
    options.average = nil
    options.clipNorm = nil
    let (straight, broken) = (try TemporaryFolder(), try TemporaryFolder())
    let (whole, again) = (problem(), problem())
    for (problem, folder) in [(whole, straight), (again, broken)] {
      var loop = problem.loop(AdamW(), options)
      loop.validationLoss = nil
      if folder === broken {
        loop.onProgress = { if $0.step == 13 { throw Killed() } }
        #expect(throws: Killed.self) { try loop.run(folder: folder.url) }
        loop.onProgress = { _ in }
      }
      _ = try loop.run(folder: folder.url)
    }
    #expect(whole.bits == again.bits)
    #expect(try broken.bytes("metrics.jsonl") == straight.bytes("metrics.jsonl"))
  }

  @Test("a finished training returns its result at once")
  func finished() throws {
    let folder = try TemporaryFolder()
    var options = options()
    options.patience = 1
    options.minimumImprovement = 1e9
    let first = problem()
    let result = try first.loop(AdamW(), options).run(folder: folder.url)
    #expect(result.stoppedEarly && result.steps == 4)
    let second = problem()
    var loop = second.loop(AdamW(), options)
    loop.batch = { _, _ in throw Killed() }
    #expect(try loop.run(folder: folder.url) == result)
    #expect(second.bits == first.bits && second.validationCalls == 0)
  }

  @Test("cancelled, the state is saved first")
  func cancelled() throws {
    let folder = try TemporaryFolder()
    train(AdamW(), options(), in: folder, killedAfter: 7, with: CancellationError())
    #expect(try folder.names(in: "state").contains("tensors-000007.safetensors"))
    var steps: [Int] = []
    var loop = problem().loop(AdamW(), options())
    loop.onProgress = { steps.append($0.step) }
    _ = try loop.run(folder: folder.url)
    #expect(steps == Array(8...20))
  }

  @Test("what a killed process left half written is removed, whatever its step")
  func leftovers() throws {
    let (straight, folder) = (try TemporaryFolder(), try TemporaryFolder())
    _ = try problem().loop(AdamW(), options()).run(folder: straight.url)
    train(AdamW(), options(), in: folder, killedAfter: 13)
    for name in ["tensors-000015.safetensors", "best-000012.safetensors", ".state.json.1.partial"] {
      try Data("half".utf8).write(to: folder.url.appending(path: "state/\(name)"))
    }
    let foreign = folder.url.appending(path: "state/notes.txt")
    try Data("mine".utf8).write(to: foreign)
    _ = try problem().loop(AdamW(), options()).run(folder: folder.url)
    #expect(FileManager.default.fileExists(atPath: foreign.path))
    try FileManager.default.removeItem(at: foreign)
    #expect(try folder.names(in: "state") == straight.names(in: "state"))
  }

  @Test("a state of another recipe is refused, saying what differs")
  func otherRecipe() throws {
    let folder = try TemporaryFolder()
    let problem = problem()
    var loop = problem.loop(AdamW(), options())
    loop.onProgress = { if $0.step == 6 { throw Killed() } }
    #expect(throws: Killed.self) { try loop.run(folder: folder.url, fingerprint: ["model": "a"]) }
    func refused(_ word: String, _ fingerprint: [String: String] = ["model": "a"]) {
      let error = #expect(throws: TrainingError.self) {
        try loop.run(folder: folder.url, fingerprint: fingerprint)
      }
      #expect(error?.code == .stateOfAnother)
      #expect(
        error?.problem.contains("different: \(word) (was") == true,
        "\(String(describing: error))"
      )
    }
    refused("model", ["model": "b"])
    refused("data", ["model": "a", "data": "d"])
    loop.optimizer = AdamW(beta2: 0.9)
    refused("optimizer")
    loop.optimizer = AdamW()
    loop.options.schedule.peak = 1
    refused("options")
    loop.options = options()
    loop.parameters.removeLast()
    refused("parameters")
  }

  @Test("a state that is cut short or changed in a bit is an error, never a trap or another result")
  func damaged() throws {
    let folder = try TemporaryFolder()
    // Stops where the state is complete and the best is not of the same step.
    train(AdamW(moments: .eightBit), options(), in: folder, killedAfter: 10)
    let state = folder.url.appending(path: "state")
    let kept = try TemporaryFolder()
    let names = try folder.names(in: "state")
    for name in names {
      try FileManager.default.copyItem(
        at: state.appending(path: name),
        to: kept.url.appending(path: name)
      )
    }
    let lines = try folder.bytes("metrics.jsonl")
    let times = try folder.bytes("timing.jsonl")
    func attempt() throws -> Bool {
      let problem = problem()
      var loop = problem.loop(AdamW(moments: .eightBit), options())
      var resumed = 0
      loop.onProgress = {
        resumed = $0.step
        throw Killed()
      }
      do { _ = try loop.run(folder: folder.url) } catch let error as TrainingError {
        #expect(error.code == .damagedState || error.code == .stateOfAnother)
        return false
      } catch is Killed {}
      #expect(resumed == 11)
      return true
    }
    var random = Random(seed: 1)
    for name in names {
      let file = state.appending(path: name)
      let good = try Data(contentsOf: kept.url.appending(path: name))
      var damaged = [Data(), good.prefix(5), good.dropLast(1), good + [0]]
      for _ in 0..<24 {
        var copy = good
        // Half of them where the header of a file is.
        let place = random.index(below: damaged.count % 2 == 0 ? min(900, good.count) : good.count)
        copy[place] ^= UInt8(1 << random.index(below: 8))
        damaged.append(copy)
      }
      for data in damaged {
        for name in names {
          let original = try Data(contentsOf: kept.url.appending(path: name))
          try original.write(to: state.appending(path: name))
        }
        try lines.write(to: folder.url.appending(path: "metrics.jsonl"))
        try times.write(to: folder.url.appending(path: "timing.jsonl"))
        try data.write(to: file)
        #expect(try !attempt(), "\(name), \(data.count) bytes")
      }
      try good.write(to: file)
      try lines.write(to: folder.url.appending(path: "metrics.jsonl"))
      try times.write(to: folder.url.appending(path: "timing.jsonl"))
      #expect(try attempt())
      try FileManager.default.removeItem(at: file)
      if name != "state.json" { #expect(try !attempt()) }
    }
  }

  @Test("metrics that lack lines of the state are an error")
  func shortMetrics() throws {
    let folder = try TemporaryFolder()
    train(AdamW(), options(), in: folder, killedAfter: 7)
    let file = folder.url.appending(path: "metrics.jsonl")
    try Data(contentsOf: file).prefix(100).write(to: file)
    let error = #expect(throws: TrainingError.self) {
      try problem().loop(AdamW(), options()).run(folder: folder.url)
    }
    #expect(error?.code == .damagedState && error?.location.contains("metrics.jsonl") == true)
  }

  @Test("a folder that cannot be written is an error")
  func unwritable() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "file")
    try Data().write(to: file)
    let error = #expect(throws: TrainingError.self) {
      try problem().loop(AdamW(), options()).run(folder: file)
    }
    #expect(error?.code == .unwritable)
  }
}
