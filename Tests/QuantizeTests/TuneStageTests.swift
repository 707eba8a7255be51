import Foundation
import Glibc
import Models
import Pipeline
import Quantize
import Tensor
import TestSupport
import Testing
import TrainStages

@Suite("quantize.tune", .serialized)
struct TuneStageTests {
  private static let text = String(
    repeating: "the cat sat on the mat and the rat ran over there; then the cat ran there too. ",
    count: 30
  )

  private static func options(_ change: (inout TuneOptions) -> Void = { _ in }) -> TuneOptions {
    var options = TuneOptions()
    options.data = [DataInput("data.txt")]
    options.steps = 12
    options.batches.length = 32
    options.rule.learningRate = 1e-2
    options.validation.every = 4
    change(&options)
    return options
  }

  /// A model rounded to few bits, and a text.
  private static func prepare(
    _ grid: Grid = Grid(bits: 3, groupSize: .columns(32))
  ) throws -> (tiny: TinyModel, model: LanguageModel) {
    let tiny = try TinyModel()
    try Data(text.utf8).write(to: tiny.result("data.txt"))
    let model = try tiny.load()
    for linear in model.linears {
      linear.weight = try roundToNearest(linear.weight.matrix, grid: grid).weight
    }
    return (tiny, model)
  }

  private static func run(
    _ options: TuneOptions,
    _ tiny: TinyModel,
    _ model: LanguageModel,
    folder: URL? = nil,
    listener: any RunListener = SilentListener()
  ) throws -> StageReport {
    let folder = folder ?? tiny.result("run-\(UUID().uuidString)")
    let state = folder.appending(path: "state")
    try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
    let context = StageContext(
      modelFolder: tiny.url,
      baselineURL: tiny.url,
      seed: 5,
      folder: folder,
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: tiny.url),
      listener: listener
    )
    return try TuneStage(options).run(model, context)
  }

  private static func weights(_ model: LanguageModel) -> [[Float]] {
    model.linears.map { $0.weight.dense.elements(as: Float.self) }
      + model.norms.map { $0.weight.converted(to: .float32).elements(as: Float.self) }
  }

  @Test("brings the model nearer to the original, in the formats it had")
  func tuning() throws {
    for grid in [
      Grid(bits: 3, groupSize: .columns(32)),
      Grid(bits: 3, groupSize: .columns(32), zero: .integer, scaleType: .bfloat16),
      Grid(bits: 3, groupSize: .columns(32), zero: .offset),
    ] {
      let (tiny, model) = try Self.prepare(grid)
      let stage = TuneStage(Self.options())
      var promise = ModelPromise(model.outline)
      #expect(stage.check(&promise).isEmpty)
      let report = try Self.run(Self.options(), tiny, model)
      let before = try #require(report.metrics["validation_divergence_before"])
      let after = try #require(report.metrics["validation_divergence"])
      #expect(after < 0.9 * before, "\(grid.zero): \(before) to \(after)")
      #expect(model.outline.parts.map(\.format) == promise.parts.map(\.format))
      #expect(report.layers.count == 14)
      #expect(model.linears.allSatisfy { $0.composed == nil })
    }
  }

  @Test("trains codes too, which brings it nearer still than scales")
  func codes() throws {
    var found: [Double] = []
    for codes in CodeTraining.allCases {
      let (tiny, model) = try Self.prepare()
      // The rate of scales is ten times the default here.
      let report = try Self.run(
        Self.options {
          $0.codes = codes
          $0.codeRate = 1
        },
        tiny,
        model
      )
      found.append(try #require(report.metrics["validation_divergence"]))
      for layer in report.layers {
        #expect(layer.values["bits"] == 3.5 && layer.note?.contains("; scales") == true)
        #expect(layer.note?.contains("start from their middle") == false)
      }
    }
    #expect(found[1] < found[0])
  }

  @Test(
    "what it measures is what a later stage finds, whatever norms are stored as",
    arguments: [ResultType.float32, .bfloat16]
  )
  func measured(_ type: ResultType) throws {
    let (tiny, model) = try Self.prepare()
    let report = try Self.run(Self.options { $0.normType = type }, tiny, model)
    #expect(model.norms.allSatisfy { $0.weight.dtype == type.dtype })
    #expect(report.metrics["validation_step"] ?? 0 > 0)
    // A second run on the result starts where the first ended.
    let again = try Self.run(
      Self.options {
        $0.steps = 1
        $0.normType = type
      },
      tiny,
      model
    )
    let after = try #require(report.metrics["validation_divergence"])
    let start = try #require(again.metrics["validation_divergence_before"])
    #expect(abs(after - start) <= 1e-9 * after)
  }

  @Test("keeps the start if nothing is better, and says so")
  func worse() throws {
    let (tiny, model) = try Self.prepare()
    let before = Self.weights(model)
    let options = Self.options {
      $0.rule.learningRate = 30
      $0.rule.schedule = .constant
      $0.rule.warmupSteps = 0
      $0.normType = .bfloat16
    }
    let report = try Self.run(options, tiny, model)
    #expect(report.warnings.contains { $0.contains("never improved") })
    #expect(Self.weights(model) == before)
    #expect(model.norms.allSatisfy { $0.weight.dtype == .float32 })
  }

  @Test("trains only what is asked for")
  func parts() throws {
    let (tiny, model) = try Self.prepare()
    let before = Self.weights(model)
    let options = Self.options {
      $0.parts = .scales
      $0.selection.targets = [NamePattern("model.layers.1.*")]
    }
    let report = try Self.run(options, tiny, model)
    #expect(report.layers.allSatisfy { $0.name.hasPrefix("model.layers.1.") })
    for (index, (new, old)) in zip(Self.weights(model), before).enumerated() {
      #expect((new == old) == !(7..<14).contains(index), "\(index)")
    }
  }

  /// Ends the process as a power cut would, at a step.
  private struct Killer: RunListener {
    let step: Int
    func receive(_ event: RunEvent) {
      if case .progress(let progress) = event, progress.unit == "steps", progress.done == step {
        kill(getpid(), SIGKILL)
      }
    }
  }

  private static func folder(of process: pid_t) -> URL {
    FileManager.default.temporaryDirectory.appending(path: "killed-tuning-\(process)")
  }

  @Test("killed and run again, it gives the weights of a run that was left alone")
  func killed() async throws {
    let folder = Self.folder(of: getpid())
    defer { try? FileManager.default.removeItem(at: folder) }
    await #expect(processExitsWith: .signal(SIGKILL)) {
      let (tiny, model) = try TuneStageTests.prepare()
      _ = try TuneStageTests.run(
        TuneStageTests.options { $0.saveMinutes = 1e-6 },
        tiny,
        model,
        folder: TuneStageTests.folder(of: getppid()),
        listener: Killer(step: 7)
      )
    }
    let state = folder.appending(path: "state/state").path
    #expect(try FileManager.default.contentsOfDirectory(atPath: state).count > 0)
    let options = Self.options { $0.saveMinutes = 1e-6 }
    let (tiny, broken) = try Self.prepare()
    _ = try Self.run(options, tiny, broken, folder: folder)
    let (other, straight) = try Self.prepare()
    _ = try Self.run(options, other, straight)
    #expect(Self.weights(broken) == Self.weights(straight))
  }

  @Test("finds what cannot work before running")
  func checking() throws {
    let (tiny, model) = try Self.prepare()
    let promise = ModelPromise(model.outline)
    func problems(_ change: (inout TuneOptions) -> Void) -> [StageProblem] {
      var promise = promise
      return TuneStage(Self.options(change)).check(&promise)
    }
    #expect(problems { _ in }.isEmpty)
    #expect(problems { $0.batches.length = 4096 }.first?.option == "length")
    #expect(problems { $0.selection.targets = [NamePattern("no")] }.first?.option == "targets.0")
    #expect(problems { $0.compute.memoryLimit = ByteSize(1000) }.first?.option == "batch")
    #expect(Self.options { $0.validation.fraction = 0 }.problems().first?.option == "validation")
    var plain = ModelPromise(try tiny.load().outline)
    let found = TuneStage(Self.options()).check(&plain)
    #expect(found.first?.message.contains("no matrix is quantized") == true)
    #expect(TuneStage(Self.options()).plan(promise).peakByteCount ?? 0 > 2 * promise.byteCount)
  }

  @Test("a teacher with another vocabulary is refused")
  func vocabulary() throws {
    let (tiny, model) = try Self.prepare()
    let other = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Golden/models/llama-grouped")
    let options = Self.options { $0.teacher = ModelPath(other.path) }
    let error = #expect(throws: QuantizeError.self) { try Self.run(options, tiny, model) }
    #expect(error?.code == .otherVocabulary)
  }
}
