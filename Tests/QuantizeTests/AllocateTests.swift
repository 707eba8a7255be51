import Calibrate
import Export
import Foundation
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("allocation of sizes")
struct AllocationTests {
  /// Things with random choices.
  private func things(_ seed: UInt64, step: Int) -> [[Allocation.Choice]] {
    var random = TinyRandom(seed: seed)
    return (0..<Int.random(in: 1...5, using: &random)).map { _ in
      (0..<Int.random(in: 1...5, using: &random)).map { _ in
        Allocation.Choice(
          byteCount: step * Int.random(in: 1...12, using: &random),
          cost: Double(Int.random(in: 0...9, using: &random))
        )
      }
    }
  }

  private func sums(_ things: [[Allocation.Choice]]) -> [(byteCount: Int, cost: Double)] {
    things.reduce(into: [(0, 0.0)]) { sums, choices in
      sums = sums.flatMap { sum in choices.map { (sum.0 + $0.byteCount, sum.1 + $0.cost) } }
    }
  }

  private func total(
    _ things: [[Allocation.Choice]],
    _ picked: [Int]
  ) -> (byteCount: Int, cost: Double) {
    zip(things, picked).reduce(into: (0, 0.0)) {
      $0.0 += $1.0[$1.1].byteCount
      $0.1 += $1.0[$1.1].cost
    }
  }

  @Test("every budget costs what trying all choices costs least", arguments: 0..<60)
  func bruteForce(_ seed: Int) throws {
    let things = things(UInt64(seed), step: 1 + seed % 7 * 32)
    let allocation = Allocation(things)
    let sums = sums(things)
    let smallest = try #require(sums.map(\.byteCount).min())
    #expect(allocation.smallest == smallest)
    #expect(allocation.choices(within: smallest - 1) == nil)
    for budget in stride(from: smallest, through: allocation.largest + 5, by: 3) {
      let found = total(things, try #require(allocation.choices(within: budget)))
      #expect(found.byteCount <= budget)
      #expect(found.cost == sums.filter { $0.byteCount <= budget }.map(\.cost).min())
    }
  }

  @Test("every limit of the cost gets the least size", arguments: 0..<30)
  func limits(_ seed: Int) throws {
    let things = things(UInt64(1000 + seed), step: 32)
    let (allocation, sums) = (Allocation(things), sums(things))
    for limit in 0..<30 {
      let least = sums.filter { $0.cost <= Double(limit) }.map(\.byteCount).min()
      let found = allocation.choices(costing: Double(limit)).map { total(things, $0) }
      #expect(found?.byteCount == least)
      if let found { #expect(found.cost <= Double(limit)) }
    }
  }

  @Test("sizes without a common divisor keep the budget and nearly the optimum")
  func rounded() throws {
    var random = TinyRandom(seed: 3)
    let things = (0..<12).map { _ in
      (1...4).map { size in
        Allocation.Choice(
          byteCount: size * 1_000_000 + Int.random(in: 0..<1000, using: &random) * 2 + 1,
          cost: 100 / Double(size) + Double(abs(random.normal()))
        )
      }
    }
    let allocation = Allocation(things)
    var last = Double.infinity
    for step in 0...20 {
      let budget = allocation.smallest + (allocation.largest - allocation.smallest) * step / 20
      let found = total(things, try #require(allocation.choices(within: budget)))
      #expect(found.byteCount <= budget && found.byteCount > budget - 4_000_000)
      #expect(found.cost <= last * 1.001)
      last = found.cost
    }
    #expect(abs(last - things.reduce(0) { $0 + ($1.map(\.cost).min() ?? 0) }) < 1e-9)
  }
}

@Suite("quantize.allocate")
struct AllocateStageTests {
  private func context(
    _ folder: URL,
    work: String,
    listener: any RunListener = SilentListener()
  ) throws -> StageContext {
    let folder = folder.appending(path: work)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return StageContext(
      modelFolder: folder.deletingLastPathComponent(),
      seed: 1,
      folder: folder,
      cacheFolder: folder.deletingLastPathComponent().appending(path: "cache"),
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: folder),
      listener: listener
    )
  }

  private func options(_ size: Int? = nil) -> AllocateOptions {
    var options = AllocateOptions()
    options.size = size.map { ByteSize($0) }
    options.calibration.sequences = 6
    options.calibration.length = 64
    return options
  }

  /// Runs the stage, exports the result from a folder as the runner does, and returns the report
  /// and the file's bytes.
  private func run(
    _ tiny: TinyModel,
    _ options: AllocateOptions,
    _ work: String,
    findsSensitivities: Bool? = nil
  ) throws -> (report: StageReport, file: Data) {
    let model = try tiny.load()
    let log = NoteLog()
    let context = try context(tiny.url, work: work, listener: log)
    let report = try AllocateStage(options).run(model, context)
    if let findsSensitivities {
      #expect(log.text.contains("known from an earlier run") == findsSensitivities)
    }
    let checkpoint = context.folder.appending(path: "checkpoint")
    try FileManager.default.createDirectory(at: checkpoint, withIntermediateDirectories: true)
    try ModelWriter(model, to: checkpoint).finish()
    let url = context.folder.appending(path: "model.gguf")
    let format = GGUFFormat(type: .lossless)
    let back = try ModelLoader.load(checkpoint)
    #expect(format.plan(ModelPromise(back.outline)).problems.isEmpty)
    _ = try format.write(back, to: url) { _, _ in }
    return (report, try Data(contentsOf: url))
  }

  @Test("files meet their budgets within a hundredth, and more bytes never predict more KL")
  func budgets() throws {
    for ties in [true, false] {
      let tiny = try TinyModel(.init(tiesEmbeddings: ties, hasBias: true), blocks: 3)
      let (smallest, largest) = try range(tiny)
      var last = Double.infinity
      for share in [0, 0.25, 0.6, 0.95] {
        let size = smallest + Int(share * Double(largest - smallest))
        var options = options(size)
        options.method = share > 0.5 ? .nearest : .gptq
        let (report, file) = try run(tiny, options, "work-\(share)")
        #expect(file.count <= size && Double(file.count) > 0.99 * Double(size))
        #expect(report.metrics["predicted_size_bytes"] == Double(file.count))
        let predicted = try #require(report.metrics["predicted_kl"])
        #expect(predicted <= last && predicted > 0)
        last = predicted
      }
    }
  }

  /// The range of budgets that a refusal names.
  private func range(_ tiny: TinyModel) throws -> (smallest: Int, largest: Int) {
    let model = try tiny.load()
    let problems = AllocateStage(options(1)).checkInputs(
      ModelPromise(model.outline),
      StageSetting(
        baseline: model,
        paths: RecipePaths(recipeFolder: tiny.url),
        readsBaseline: true
      )
    )
    let message = try #require(problems.first?.message)
    #expect(problems.map(\.option) == ["size"])
    let match = try #require(message.firstMatch(of: /from ([0-9]+) bytes.* to ([0-9]+) bytes/))
    return (try #require(Int(match.1)), try #require(Int(match.2)))
  }

  @Test("what is measured once serves other budgets, and gives the same bytes")
  func cache() throws {
    let tiny = try TinyModel()
    let (smallest, largest) = try range(tiny)
    let options = options((smallest + largest) / 2)
    let first = try run(tiny, options, "first", findsSensitivities: false)
    let folder = tiny.result("cache")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(names.count == 1)
    let kept = try Data(contentsOf: folder.appending(path: names[0]))
    let second = try run(tiny, options, "second", findsSensitivities: true)
    #expect(second.report == first.report && second.file == first.file)
    var other = options
    other.size = nil
    other.klAtMost = first.report.metrics["predicted_kl"]
    let third = try run(tiny, other, "third", findsSensitivities: true)
    #expect(third.file.count <= first.file.count)
    #expect(try Data(contentsOf: folder.appending(path: names[0])) == kept)
    try FileManager.default.removeItem(at: folder)
    let fourth = try run(tiny, options, "fourth", findsSensitivities: false)
    #expect(fourth.file == first.file)
    #expect(try Data(contentsOf: folder.appending(path: names[0])) == kept)
    // The head was measured as it is rounded, which these options decide.
    var damped = options
    damped.damping = 0.5
    _ = try run(tiny, damped, "damped", findsSensitivities: false)
    var ordered = options
    ordered.order = .stored
    _ = try run(tiny, ordered, "ordered", findsSensitivities: false)
    var nearest = damped
    nearest.method = .nearest
    _ = try run(tiny, nearest, "nearest", findsSensitivities: false)
    nearest.damping = 0.01
    _ = try run(tiny, nearest, "same", findsSensitivities: true)
  }

  @Test("predictions are of the size of what is measured, and follow it")
  func predictions() throws {
    let tiny = try TinyModel(blocks: 3)
    let (smallest, largest) = try range(tiny)
    let original = try tiny.load()
    let tokens = (0..<96).map { Int32($0 * 37 % 260) }
    let hidden = original.hidden([tokens])
    for share in [0.1, 0.7] {
      var options = options(smallest + Int(share * Double(largest - smallest)))
      options.method = .nearest
      let model = try tiny.load()
      let report = try AllocateStage(options).run(
        model,
        try context(tiny.url, work: "work-\(share)")
      )
      let measured = model.logits(model.hidden([tokens]))
        .klDivergence(from: original.logits(hidden)).sum()
      let predicted = try #require(report.metrics["predicted_kl"])
      #expect(predicted > measured / 3 && predicted < measured * 3)
    }
  }

  @Test("query, key and value get one format, gate and up too; front.json has rising sizes")
  func ties() throws {
    let tiny = try TinyModel()
    let (smallest, largest) = try range(tiny)
    let model = try tiny.load()
    let context = try context(tiny.url, work: "work")
    _ = try AllocateStage(options((2 * smallest + largest) / 3)).run(model, context)
    for block in model.blocks {
      let attention = block.attention
      #expect(attention.query.format == attention.key.format)
      #expect(attention.query.format == attention.value.format)
      #expect(block.feedForward.gate.format == block.feedForward.up.format)
    }
    let json = try JSONDecoder().decode(
      JSONValue.self,
      from: Data(contentsOf: context.folder.appending(path: "front.json"))
    )
    let points = try #require(json["points"]?.array)
    let sizes = points.compactMap { $0["size_bytes"]?.integer }
    #expect(sizes.count > 5 && zip(sizes, sizes.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test("no budget, two budgets, and one out of reach are refused")
  func refusals() throws {
    let tiny = try TinyModel()
    let (smallest, largest) = try range(tiny)
    #expect(options().problems().count == 1)
    var both = options(100_000)
    both.klAtMost = 0.1
    #expect(both.problems().map(\.option) == ["kl_at_most"])
    let model = try tiny.load()
    let setting = StageSetting(
      baseline: model,
      paths: RecipePaths(recipeFolder: tiny.url),
      readsBaseline: true
    )
    var promise = ModelPromise(model.outline)
    for (size, count) in [
      (smallest - 1, 1), (smallest, 0), (largest, 0), (largest + 1, 1), (2_000_000 << 40, 1),
    ] {
      let problems = AllocateStage(options(size)).checkInputs(promise, setting)
      #expect(problems.count == count)
    }
    var coarse = options(100_000)
    coarse.formats = [.q6_k]
    #expect(AllocateStage(coarse).check(&promise).map(\.option) == ["formats"])
    #expect(AllocateStage(options(smallest)).check(&promise).isEmpty)
    #expect(promise["model.embed_tokens"]?.format == .blocks(.q8_0))
    var strict = options()
    strict.klAtMost = 1e-12
    #expect {
      _ = try AllocateStage(strict).run(try tiny.load(), try context(tiny.url, work: "strict"))
    } throws: { ($0 as? QuantizeError)?.code == .outOfReach }
  }
}
