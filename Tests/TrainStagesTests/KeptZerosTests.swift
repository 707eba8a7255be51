import Foundation
import Models
import Pipeline
import Sparsity
import Tensor
import TestSupport
import Testing
import TrainStages

@Suite("Zeros while training")
struct KeptZerosTests {
  private static func prepare() throws -> TinyModel {
    let tiny = try TinyModel()
    let text = String(
      repeating: "the cat sat on the mat and the rat ran over there; then the cat ran too. ",
      count: 30
    )
    try Data(text.utf8).write(to: tiny.result("data.txt"))
    return tiny
  }

  private static func options(_ change: (inout TrainOptions) -> Void = { _ in }) -> TrainOptions {
    var options = TrainOptions()
    options.data = [DataInput("data.txt")]
    options.steps = 10
    options.batches.batch = 4
    options.batches.length = 32
    options.rule.learningRate = 3e-3
    options.rule.weightDecay = 0.1
    change(&options)
    return options
  }

  /// Trains a model whose layers of the first block are pruned.
  private static func run(
    _ options: TrainOptions,
    in tiny: TinyModel,
    folder name: String = "run",
    pruned: SparsityPattern? = .groups(nonzero: 2, of: 4)
  ) throws -> (before: LanguageModel, model: LanguageModel, report: StageReport, folder: URL) {
    let folder = tiny.result(name)
    let state = folder.appending(path: "state")
    try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
    let context = StageContext(
      modelFolder: tiny.url,
      seed: 5,
      folder: folder,
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: tiny.url)
    )
    func load() throws -> LanguageModel {
      let model = try tiny.load()
      guard let pruned else { return model }
      for linear in model.linears where linear.name.hasPrefix("model.layers.0.") {
        let weight = linear.weight.dense
        let mask = Mask(weight, sparsity: 0.5, pattern: pruned, scope: .matrix)
        linear.weight = DenseWeight(mask.applied(to: weight).weight)
      }
      return model
    }
    let model = try load()
    let report = try TrainStage(options).run(model, context)
    return (try load(), model, report, folder)
  }

  private func zeros(_ linear: Linear) -> [Bool] {
    linear.weight.dense.elements(as: Float.self).map { $0 == 0 }
  }

  @Test("stay where pruning has set them, with decay, and the others are trained")
  func kept() throws {
    let tiny = try Self.prepare()
    let (before, model, report, _) = try Self.run(Self.options(), in: tiny)
    for (old, new) in zip(before.linears, model.linears) {
      #expect(zeros(old) == zeros(new), "\(new.name)")
      let (a, b) = (old.weight.dense, new.weight.dense)
      #expect(a.elements(as: Float.self) != b.elements(as: Float.self), "\(new.name)")
    }
    #expect(report.metrics["held_sparsity"] == 0.5)
    #expect(report.layers.count == 7)
    #expect(report.layers.allSatisfy { $0.values["held_sparsity"] == 0.5 })
  }

  @Test("are lost if they are not to be kept")
  func lost() throws {
    let tiny = try Self.prepare()
    let (_, model, report, _) = try Self.run(Self.options { $0.keepZeros = false }, in: tiny)
    #expect(model.linears[0].weight.dense.zeroCount < 100)
    #expect(report.metrics["held_zeros"] == nil)
  }

  @Test("a model without zeros is trained as if nothing was to be kept")
  func unaffected() throws {
    let tiny = try Self.prepare()
    func weights(_ keeps: Bool) throws -> [[Float]] {
      let options = Self.options { $0.keepZeros = keeps }
      return try Self.run(options, in: tiny, folder: "\(keeps)", pruned: nil).model.matrices.map {
        $0.weight.dense.elements(as: Float.self)
      }
    }
    #expect(try weights(true) == weights(false))
  }

  @Test("the number of zeros follows the formula")
  func schedule() {
    var prune = GradualPruning()
    (prune.from, prune.start, prune.end, prune.every) = (0.1, 0.1, 0.6, 20)
    // 0.5 + (0.1 − 0.5) · (1 − (t − 10) / 50)³
    let expected = [10: 0.1, 30: 0.4136, 50: 0.4968, 60: 0.5]
    for done in 0...100 {
      let fraction = prune.fraction(after: done, of: 100)
      #expect((fraction == nil) == (expected[done] == nil), "after \(done)")
      if let fraction, let number = expected[done] { #expect(abs(fraction - number) < 1e-12) }
    }
    (prune.start, prune.end) = (0, 1)
    #expect(prune.fraction(after: 1, of: 1) == 0.5)
    #expect(prune.fraction(after: 0, of: 1) == 0.1)
    prune.start = 1 - 1e-9
    #expect(prune.problems().isEmpty)
    #expect(prune.fraction(after: 10, of: 10) == 0.5)
    prune.end = 0.5
    #expect(prune.problems().map(\.option) == ["start"])
    prune.pattern = .groups(nonzero: 1, of: 4)
    (prune.sparsity, prune.start) = (0.5, 0)
    #expect(prune.problems().map(\.option) == ["sparsity"])
  }

  @Test(
    "grow into a pattern and keep those that were there",
    arguments: [
      ("unstructured", 0.6), ("2:4", 0.5), ("4x4", 0.5),
    ]
  )
  func gradual(_ name: String, _ fraction: Double) throws {
    let tiny = try Self.prepare()
    let pattern = try #require(SparsityPattern(recipeText: name))
    let options = Self.options {
      var prune = GradualPruning()
      prune.pattern = pattern
      prune.sparsity = pattern.sparsity == nil ? fraction : nil
      prune.every = 2
      $0.prune = prune
      $0.validation.fraction = 0.2
      $0.validation.every = 2
    }
    let (before, model, report, folder) = try Self.run(options, in: tiny, pruned: .unstructured)
    for (old, new) in zip(before.linears, model.linears) {
      let zeros = zeros(new)
      #expect(zip(self.zeros(old), zeros).allSatisfy { !$0 || $1 }, "\(new.name)")
      let count = zeros.count { $0 }
      let asked = Int((fraction * Double(zeros.count)).rounded())
      if old.name.hasPrefix("model.layers.0.") {
        #expect(count >= asked, "\(new.name)")
      } else {
        #expect(count == asked, "\(new.name)")
      }
      if case .groups(let nonzero, let size) = pattern {
        for start in stride(from: 0, to: zeros.count, by: size) {
          #expect(zeros[start..<start + size].count { !$0 } <= nonzero)
        }
      }
    }
    #expect(model.embedding.weight.dense.zeroCount == 0)
    #expect(try #require(report.metrics["validation_step"]) >= 6)
    let text = try String(contentsOf: folder.appending(path: "metrics.jsonl"), encoding: .utf8)
    #expect(text.split(separator: "\n").count { $0.contains("\"sparsity\":") } == 10)
  }

  @Test("that were there are free if they are not to be kept, while others grow")
  func gradualAnew() throws {
    let tiny = try Self.prepare()
    let options = Self.options {
      $0.keepZeros = false
      $0.prune = GradualPruning()
      $0.prune?.sparsity = 0.2
      $0.prune?.start = 0.5
      $0.prune?.end = 1
    }
    let (before, model, report, _) = try Self.run(options, in: tiny)
    for (old, new) in zip(before.linears, model.linears) {
      let count = zeros(new).count { $0 }
      #expect(count == Int((0.2 * Double(zeros(new).count)).rounded()), "\(new.name)")
      guard old.name.hasPrefix("model.layers.0.") else { continue }
      // Half were zero; most of them have been trained meanwhile.
      let back = zip(zeros(old), zeros(new)).count { $0 && !$1 }
      #expect(Double(back) > 0.25 * Double(zeros(old).count), "\(new.name)")
    }
    #expect(abs((report.metrics["held_sparsity"] ?? 0) - 0.2) < 1e-3)
  }

  @Test("what is promised is what stays, and what cannot be is said before")
  func checking() throws {
    let tiny = try Self.prepare()
    var start = ModelPromise(try tiny.load().outline)
    let names = Set(start.linears.map(\.name))
    start.update(names) {
      $0.sparsity = 0.5
      $0.zeroPattern = .init(zeros: 2, groupSize: 4)
    }
    func check(_ change: (inout TrainOptions) -> Void) -> (ModelPromise, [StageProblem]) {
      var promise = start
      let problems = TrainStage(Self.options(change)).check(&promise)
      return (promise, problems)
    }
    let (kept, none) = check { _ in }
    #expect(none.isEmpty)
    #expect(kept.linears.allSatisfy { $0.sparsity == 0.5 && $0.zeroPattern != nil })
    let lost = check { $0.keepZeros = false }.0
    #expect(lost.linears.allSatisfy { $0.sparsity == 0 && $0.zeroPattern == nil })
    let notes = TrainStage(Self.options()).plan(start).notes
    #expect(notes.contains { $0.contains("zeros of 14 matrices stay zero") }, "\(notes)")
    let forsaken = TrainStage(Self.options { $0.keepZeros = false }).plan(start).notes
    #expect(forsaken.contains { $0.contains("`keep_zeros` is off") }, "\(forsaken)")
    #expect(check { $0.lora = AdapterOptions() }.1.map(\.option) == ["lora"])
    let given = check {
      $0.lora = AdapterOptions()
      $0.keepZeros = false
    }
    #expect(given.1.isEmpty)
    let more = check {
      $0.prune = GradualPruning()
      $0.prune?.sparsity = 0.75
    }
    #expect(more.0.linears.allSatisfy { $0.sparsity == 0.75 && $0.zeroPattern == nil })
    let untrained = check {
      $0.prune = GradualPruning()
      $0.parts.targets = [NamePattern("model.norm")]
    }
    #expect(untrained.1.map(\.option) == ["prune"])
    let misfit = check {
      $0.prune = GradualPruning()
      $0.prune?.pattern = .groups(nonzero: 3, of: 7)
    }
    #expect(misfit.1.map(\.option) == ["prune.pattern"])
    let nowhere = check {
      $0.prune = GradualPruning()
      $0.prune?.selection = WeightSelection(targets: [NamePattern("nothing")])
    }
    #expect(nowhere.1.map(\.option) == ["prune.targets.0"])
  }

  @Test("an adapter over zeros of a file is refused before it is trained")
  func adapters() throws {
    let tiny = try Self.prepare()
    let options = Self.options { $0.lora = AdapterOptions() }
    let error = #expect(throws: (any Error).self) { try Self.run(options, in: tiny) }
    #expect("\(try #require(error))".contains("keep_zeros: false"))
  }
}
