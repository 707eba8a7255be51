import Checkpoints
import Evaluate
import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing
import TrainStages

@testable import Distill

/// A student and a teacher with one tokenizer, and a text.
struct Pair {
  let student: TinyModel
  let teacher: TinyModel

  private static let text = String(
    repeating: "the cat sat on the mat and the rat ran over there; then the cat ran there too. ",
    count: 30
  )

  init() throws {
    student = try TinyModel(seed: 1)
    teacher = try TinyModel(seed: 2)
    try Data(Self.text.utf8).write(to: student.result("data.txt"))
  }

  static func change(_ training: inout TrainOptions) {
    training.data = [DataInput("data.txt")]
    training.steps = 12
    training.batches.batch = 4
    training.batches.length = 32
    training.rule.learningRate = 3e-3
    training.validation.fraction = 0.2
    training.validation.every = 4
  }

  func options(_ change: (inout DistillLogitsOptions) -> Void = { _ in }) -> DistillLogitsOptions {
    var options = DistillLogitsOptions()
    options.teacher = ModelPath(teacher.url.path)
    Self.change(&options.training)
    change(&options)
    return options
  }

  func context(_ name: String, baseline: URL? = nil) throws -> StageContext {
    let folder = student.result(name)
    let state = folder.appending(path: "state")
    try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
    return StageContext(
      modelFolder: student.url,
      baselineURL: baseline,
      seed: 5,
      folder: folder,
      exportURL: folder.appending(path: "export"),
      paths: RecipePaths(recipeFolder: student.url)
    )
  }

  func run(
    _ stage: some Stage,
    _ name: String = "run"
  ) throws -> (model: LanguageModel, report: StageReport) {
    let model = try student.load()
    return (model, try stage.run(model, context(name)))
  }

  var setting: StageSetting {
    get throws {
      StageSetting(
        baseline: try student.load(),
        paths: RecipePaths(recipeFolder: student.url),
        readsBaseline: true
      )
    }
  }

  func problems(_ stage: some Stage) throws -> [StageProblem] {
    try stage.checkInputs(ModelPromise(try student.load().outline), setting)
  }
}

func weights(_ model: LanguageModel) -> [[Float]] {
  model.matrices.map { $0.weight.dense.elements(as: Float.self) }
}

@Suite("distill.logits")
struct DistillLogitsTests {
  let pair: Pair

  init() throws { pair = try Pair() }

  @Test("brings the student nearer to the teacher", arguments: DivergenceKind.allCases)
  func nearer(kind: DivergenceKind) throws {
    let stage = DistillLogitsStage(
      pair.options {
        $0.divergence.loss = kind
        $0.divergence.temperature = 1.5
        $0.divergence.crossEntropy = 0.1
      }
    )
    let report = try pair.run(stage).report
    let before = try #require(report.metrics["validation_loss_before"])
    let after = try #require(report.metrics["validation_loss"])
    #expect(after < 0.9 * before)
    #expect(report.metrics["vocabulary_coverage"] == 1)
    #expect(report.metrics["validation_divergence"] ?? 0 > 0)
    #expect(report.metrics["validation_cross_entropy"] ?? 0 > 0)
  }

  @Test("gives the same bytes again, with what is kept of the teacher or without the file")
  func deterministic() throws {
    let live = DistillLogitsStage(pair.options())
    #expect(try weights(pair.run(live, "a").model) == weights(pair.run(live, "b").model))
    let cached = DistillLogitsStage(
      pair.options {
        $0.cache = CacheOptions()
        $0.cache?.topK = 32
        $0.cache?.path = CachePath("cache")
      }
    )
    let first = try pair.run(cached, "c")
    let again = try pair.run(cached, "d")
    #expect(weights(first.model) == weights(again.model))
    #expect(first.report.metrics["teacher_rows_computed"] ?? 0 > 0)
    #expect(again.report.metrics["teacher_rows_computed"] == 0)
    // Other seeds and batches meet the same rows.
    let other = DistillLogitsStage(
      pair.options {
        $0.cache = CacheOptions()
        $0.cache?.topK = 32
        $0.cache?.path = CachePath("cache")
        $0.training.batches.batch = 2
        $0.training.steps = 6
        $0.divergence.loss = .reverseKL
      }
    )
    #expect(try pair.run(other, "e").report.metrics["teacher_rows_computed"] == 0)
    let before = try #require(first.report.metrics["validation_loss_before"])
    #expect(try #require(first.report.metrics["validation_loss"]) < 0.9 * before)
  }

  @Test("what is kept of a teacher serves evaluations too, without its checkpoint")
  func evaluated() throws {
    let kept = DistillLogitsStage(
      pair.options {
        $0.cache = CacheOptions()
        $0.cache?.topK = 32
        $0.cache?.path = CachePath("cache")
      }
    )
    _ = try pair.run(kept, "train")
    var options = EvaluateOptions()
    options.settings.perplexity = .file(InputPath("data.txt"))
    options.settings.context = 33
    options.reference = ModelPath(pair.teacher.url.path)
    options.cache = CacheOptions()
    options.cache?.topK = 32
    options.cache?.path = CachePath("cache")
    let first = try pair.run(EvaluateStage(options), "evaluated").report
    #expect(first.metrics["teacher_rows_computed"] ?? 0 > 0)
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: pair.student.result("cache").path
    )
    #expect(folders.count == 1)
    options.reference = nil
    let again = try pair.run(EvaluateStage(options), "again").report
    #expect(again.metrics["teacher_rows_computed"] == 0)
    let bound = try #require(first.metrics["kl_lower_bound"])
    #expect(bound > 0.1 && again.metrics["kl_lower_bound"] == bound)
    #expect(first.metrics["kl_mean"] == nil && first.metrics["top1_agreement"] != nil)
    options.cache?.path = nil
    #expect(options.problems().map(\.option) == ["cache.path"])
  }

  @Test("a result worse than its start is refused, and the report says so")
  func worse() throws {
    let stage = DistillLogitsStage(
      pair.options {
        $0.training.rule.learningRate = 3
        $0.training.rule.schedule = .constant
      }
    )
    let (model, report) = try pair.run(stage)
    #expect(report.warnings.contains { $0.contains("never improved") })
    #expect(try weights(model) == weights(pair.student.load()))
    let taken = DistillLogitsStage(
      pair.options {
        $0.training.rule.learningRate = 3
        $0.training.rule.schedule = .constant
        $0.training.validation.keepBest = false
      }
    )
    #expect(
      try pair.run(taken, "b").report.warnings.contains { $0.contains("worse than the start") }
    )
  }

  @Test("trains adapters")
  func adapters() throws {
    let stage = DistillLogitsStage(
      pair.options {
        $0.training.lora = AdapterOptions()
        $0.training.parts.targets = [NamePattern("*.{q,v}_proj")]
        $0.training.rule.learningRate = 1e-2
      }
    )
    let (model, report) = try pair.run(stage)
    let before = try #require(report.metrics["validation_loss_before"])
    #expect(try #require(report.metrics["validation_loss"]) < before)
    let original = try pair.student.load()
    for (new, old) in zip(model.matrices, original.matrices) {
      let isEqual =
        new.weight.dense.elements(as: Float.self) == old.weight.dense.elements(as: Float.self)
      #expect(isEqual == !(new.name.hasSuffix("q_proj") || new.name.hasSuffix("v_proj")))
    }
  }

  @Test("the model before the stages is the teacher if none is named")
  func baseline() throws {
    let options = pair.options { $0.teacher = nil }
    let problems = try pair.problems(DistillLogitsStage(options))
    #expect(problems.first?.message.contains("learn from itself") == true)
    let model = try pair.student.load()
    #expect(throws: DistillError.self) {
      try DistillLogitsStage(options).run(model, pair.context("a", baseline: pair.student.url))
    }
    let report = try DistillLogitsStage(options).run(
      model,
      pair.context("b", baseline: pair.teacher.url)
    )
    #expect(report.metrics["validation_loss"] ?? 1 < report.metrics["validation_loss_before"] ?? 0)
  }

  @Test("a model that is pruned meanwhile learns from what it was")
  func pruned() throws {
    let options = pair.options {
      $0.teacher = nil
      $0.training.prune = GradualPruning()
    }
    #expect(try pair.problems(DistillLogitsStage(options)).isEmpty)
    let report = try DistillLogitsStage(options).run(
      pair.student.load(),
      pair.context("a", baseline: pair.student.url)
    )
    // There was nothing to learn before half of the weights were gone.
    #expect(abs(report.metrics["validation_loss_before"] ?? 1) < 1e-5)
  }

  // MARK: - Refusals

  @Test("finds what cannot work before anything runs")
  func refusals() throws {
    func problems(_ change: (inout DistillLogitsOptions) -> Void) throws -> [StageProblem] {
      try pair.problems(DistillLogitsStage(pair.options(change)))
    }
    #expect(try problems { _ in }.isEmpty)
    #expect(try problems { $0.teacher = ModelPath("/nowhere") }.first?.option == "teacher")
    // The student alone would fit.
    let promise = ModelPromise(try pair.student.load().outline)
    let options = pair.options()
    let alone = try #require(DistillLogitsStage(options).plan(promise).peakByteCount)
    #expect(
      try problems { $0.training.compute.memoryLimit = ByteSize(alone) }.first?.option == "batch"
    )
    #expect(
      try problems {
        $0.cache = CacheOptions()
        $0.cache?.topK = 300
      }.first?.option
        == "cache.top_k"
    )
    let both = try #require(DistillLogitsStage(options).plan(promise, pair.setting).peakByteCount)
    #expect(both > alone)
  }

  @Test("a teacher with another tokenizer or too short a context is refused")
  func otherTeacher() throws {
    let file = pair.teacher.result("tokenizer.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    try text.replacing("\"t h\"", with: "\"h t\"").replacing("\"th\"", with: "\"ht\"")
      .replacing("th e", with: "ht e").replacing("\"the\"", with: "\"hte\"")
      .write(to: file, atomically: true, encoding: .utf8)
    let problem = try #require(pair.problems(DistillLogitsStage(pair.options())).first)
    #expect(problem.option == "teacher" && problem.message.contains("tokenizer differs"))
    try text.write(to: file, atomically: true, encoding: .utf8)
    let configuration = pair.teacher.result("config.json")
    try String(contentsOf: configuration, encoding: .utf8)
      .replacing("\"max_position_embeddings\" : 128", with: "\"max_position_embeddings\" : 16")
      .write(to: configuration, atomically: true, encoding: .utf8)
    let short = try #require(pair.problems(DistillLogitsStage(pair.options())).first)
    #expect(short.option == "length" && short.message.contains("context of 16"))
  }

  @Test("a teacher whose outputs are no numbers is named, and nothing is kept of it")
  func notFinite() throws {
    let model = try pair.teacher.load()
    let down = model.blocks[1].feedForward.down
    var weights = down.weight.dense.elements(as: Float.self)
    weights[70] = .nan
    down.weight = DenseWeight(Tensor(weights, shape: [down.rows, down.columns]))
    try pair.teacher.save(model)
    let stage = DistillLogitsStage(pair.options { $0.cache = CacheOptions() })
    let found = #expect(throws: DistillError.self) { try pair.run(stage) }
    let error = try #require(found)
    #expect(error.code == .notFinite && error.location == model.companions.name)
  }

  @Test("a plan counts a teacher whose outputs are kept once, and says what they take on disk")
  func planned() throws {
    let promise = ModelPromise(try pair.student.load().outline)
    func plan(_ change: (inout DistillLogitsOptions) -> Void) throws -> StagePlan {
      try DistillLogitsStage(
        pair.options {
          $0.training.steps = 1000
          change(&$0)
        }
      ).plan(promise, pair.setting)
    }
    let live = try plan { _ in }
    let cached = try plan {
      $0.cache = CacheOptions()
      $0.cache?.topK = 32
    }
    let student = try #require(
      DistillLogitsStage(pair.options { $0.training.steps = 1000 }).plan(promise).seconds
    )
    let teacher = try #require(live.seconds) - student
    let kept = try #require(cached.seconds) - student
    #expect(teacher > 0 && kept > 0 && kept < 0.05 * teacher)
    let bytes = TokenCoding(count: 32, vocabulary: 264).byteCount
    let note = cached.notes.first { $0.contains("on disk") }
    #expect(note?.contains("\(bytes) B for each token") == true, "\(cached.notes)")
    #expect(!live.notes.contains { $0.contains("on disk") })
    // Without `steps` the size of the data decides: 2,370 bytes of about two a token.
    let epochs = try plan {
      $0.training.steps = nil
      $0.training.epochs = 4
    }
    #expect(epochs.seconds ?? 0 > 0)
    #expect(epochs.notes.contains { $0.contains("about 28 steps") }, "\(epochs.notes)")
  }

  @Test("a teacher with padded rows in its vocabulary is compared over what both have")
  func padded() throws {
    let padded = try PaddedModel(pair.teacher, vocabulary: 272)
    defer { try? FileManager.default.removeItem(at: padded.url) }
    func result(_ teacher: URL, _ name: String, cached: Bool) throws -> ([[Float]], StageReport) {
      let stage = DistillLogitsStage(
        pair.options {
          $0.teacher = ModelPath(teacher.path)
          $0.divergence.loss = .skewForward
          if cached { $0.cache = CacheOptions() }
        }
      )
      let (model, report) = try pair.run(stage, name)
      return (weights(model), report)
    }
    for cached in [false, true] {
      let (plain, _) = try result(pair.teacher.url, "plain\(cached)", cached: cached)
      let (other, report) = try result(padded.url, "padded\(cached)", cached: cached)
      #expect(plain == other)
      #expect(report.metrics["vocabulary_coverage"] == 264.0 / 272)
      #expect(report.warnings.contains { $0.contains("264") && $0.contains("272") })
    }
  }
}

/// A model with rows of large numbers after its vocabulary.
struct PaddedModel {
  let url: URL

  init(_ model: TinyModel, vocabulary: Int) throws {
    url = FileManager.default.temporaryDirectory.appending(path: "padded-\(UUID())")
    try FileManager.default.copyItem(at: model.url, to: url)
    let file = try SafetensorsFile(path: model.url.appending(path: "model.safetensors").path)
    let name = "model.embed_tokens.weight"
    let tensors = try model.load().outline.parts.map {
      ("\($0.name).weight", try file.tensor("\($0.name).weight"))
    }
    let changed = tensors.map { tensor -> (String, Tensor) in
      guard tensor.0 == name else { return tensor }
      let (rows, width) = (tensor.1.shape[0], tensor.1.shape[1])
      let extra = [Float](repeating: 3, count: (vocabulary - rows) * width)
      let all = tensor.1.elements(as: Float.self) + extra
      return (name, Tensor(all, shape: [vocabulary, width]))
    }
    var writer = try SafetensorsWriter(
      path: url.appending(path: "model.safetensors").path,
      tensors: changed.map { TensorDeclaration($0.0, dtype: $0.1.dtype, shape: $0.1.shape) }
    )
    for (name, tensor) in changed { try writer.append(tensor, to: name) }
    try writer.finish()
    let configuration = url.appending(path: "config.json")
    try String(contentsOf: configuration, encoding: .utf8)
      .replacing("\"vocab_size\" : 264", with: "\"vocab_size\" : \(vocabulary)")
      .write(to: configuration, atomically: true, encoding: .utf8)
  }
}
