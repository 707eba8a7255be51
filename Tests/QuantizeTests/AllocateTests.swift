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
  private func options(_ size: Int? = nil) -> AllocateOptions { AllocationFixture.options(size) }

  @Test(
    "files meet their budgets within a hundredth, and more bytes never predict more KL",
    arguments: AllocationFile.allCases
  )
  func budgets(_ kind: AllocationFile) throws {
    for ties in [true, false] {
      let fixture = try AllocationFixture(.init(tiesEmbeddings: ties, hasBias: true), blocks: 3)
      var options = AllocationFixture.options(file: kind)
      // Rows of 96 divide into groups of 32 alone.
      if kind == .mlx {
        options.formats = [2, 3, 4, 5, 6, 8].flatMap { bits in
          [32, 64].map { .groups(bits: bits, size: .columns($0)) }
        }
      }
      let (smallest, largest) = try fixture.range(options)
      var last = Double.infinity
      for share in [0, 0.25, 0.6, 0.95] {
        let size = smallest + Int(share * Double(largest - smallest))
        options.size = ByteSize(size)
        options.method = share > 0.5 ? .nearest : .gptq
        let result = try fixture.run(options, "work-\(share)")
        let written = try ModelSize(
          of: result.url,
          parameterCount: result.model.configuration.parameterCount
        ).byteCount
        #expect(written <= size && Double(written) > 0.99 * Double(size))
        #expect(result.report.metrics["predicted_size_bytes"] == Double(written))
        let predicted = try #require(result.report.metrics["predicted_kl"])
        #expect(predicted <= last && predicted > 0)
        last = predicted
      }
    }
  }

  @Test("the importance of inputs is written, if that is asked for")
  func importance() throws {
    let fixture = try AllocationFixture(.init(tiesEmbeddings: false))
    let (smallest, largest) = try fixture.range()
    var options = options((smallest + largest) / 2)
    options.writeImatrix = true
    let result = try fixture.run(options, "written")
    let url = fixture.tiny.result("written").appending(path: "imatrix.gguf")
    let matrix = try ImportanceMatrix(contentsOf: url)
    #expect(Set(matrix.entries.keys) == Set(result.model.linears.map(\.name) + ["lm_head"]))
    #expect(matrix.chunkSize == 64 && matrix.chunkCount == 6)
    for entry in matrix.entries.values {
      #expect(entry.count == 6 * 64)
      #expect(entry.sumsOfSquares.elements(as: Float.self).allSatisfy { $0 > 0 })
    }
  }

  @Test("what is measured once serves other budgets, and gives the same bytes")
  func cache() throws {
    let fixture = try AllocationFixture()
    let (smallest, largest) = try fixture.range()
    let options = options((smallest + largest) / 2)
    let first = try fixture.run(options, "first", findsSensitivities: false)
    let folder = fixture.tiny.result("cache")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(names.count == 1)
    let kept = try Data(contentsOf: folder.appending(path: names[0]))
    let second = try fixture.run(options, "second", findsSensitivities: true)
    let firstFile = try first.file
    #expect(second.report == first.report)
    #expect(try second.file == firstFile)
    var other = options
    other.size = nil
    other.klAtMost = first.report.metrics["predicted_kl"]
    let third = try fixture.run(other, "third", findsSensitivities: true)
    #expect(try third.file.count <= firstFile.count)
    #expect(try Data(contentsOf: folder.appending(path: names[0])) == kept)
    try FileManager.default.removeItem(at: folder)
    let fourth = try fixture.run(options, "fourth", findsSensitivities: false)
    #expect(try fourth.file == firstFile)
    #expect(try Data(contentsOf: folder.appending(path: names[0])) == kept)
    // The head was measured as it is rounded, which these options decide.
    var damped = options
    damped.damping = 0.5
    _ = try fixture.run(damped, "damped", findsSensitivities: false)
    var ordered = options
    ordered.order = .stored
    _ = try fixture.run(ordered, "ordered", findsSensitivities: false)
    var nearest = damped
    nearest.method = .nearest
    _ = try fixture.run(nearest, "nearest", findsSensitivities: false)
    nearest.damping = 0.01
    _ = try fixture.run(nearest, "same", findsSensitivities: true)
  }

  @Test("predictions are of the size of what is measured, and follow it")
  func predictions() throws {
    let fixture = try AllocationFixture(blocks: 3)
    let (smallest, largest) = try fixture.range()
    let original = try fixture.tiny.load()
    let tokens = (0..<96).map { Int32($0 * 37 % 260) }
    let hidden = original.hidden([tokens])
    for share in [0.1, 0.7] {
      var options = options(smallest + Int(share * Double(largest - smallest)))
      options.method = .nearest
      let model = try fixture.tiny.load()
      let report = try AllocateStage(options).run(
        model,
        try fixture.context("work-\(share)")
      )
      let measured = model.logits(model.hidden([tokens]))
        .klDivergence(from: original.logits(hidden)).sum()
      let predicted = try #require(report.metrics["predicted_kl"])
      #expect(predicted > measured / 3 && predicted < measured * 3)
    }
  }

  @Test("query, key and value get one format, gate and up too; front.json has rising sizes")
  func ties() throws {
    let fixture = try AllocationFixture()
    let (smallest, largest) = try fixture.range()
    let model = try fixture.tiny.load()
    let context = try fixture.context("work")
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
    let fixture = try AllocationFixture()
    let (smallest, largest) = try fixture.range()
    #expect(options().problems().count == 1)
    var both = options(100_000)
    both.klAtMost = 0.1
    #expect(both.problems().map(\.option) == ["kl_at_most"])
    let model = try fixture.tiny.load()
    let setting = fixture.setting(model)
    var promise = ModelPromise(model.outline)
    for (size, count) in [
      (smallest - 1, 1), (smallest, 0), (largest, 0), (largest + 1, 1), (2_000_000 << 40, 1),
    ] {
      let problems = AllocateStage(options(size)).checkInputs(promise, setting)
      #expect(problems.count == count)
    }
    var coarse = options(100_000)
    coarse.formats = [.blocks(.q6_k)]
    #expect(AllocateStage(coarse).check(&promise).map(\.option) == ["formats"])
    #expect(AllocateStage(options(smallest)).check(&promise).isEmpty)
    #expect(promise["model.embed_tokens"]?.format == .blocks(.q8_0))
    var strict = options()
    strict.klAtMost = 1e-12
    #expect {
      _ = try AllocateStage(strict).run(try fixture.tiny.load(), try fixture.context("strict"))
    } throws: { ($0 as? QuantizeError)?.code == .outOfReach }
  }
}
