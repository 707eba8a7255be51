import Checkpoints
import Evaluate
import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing
import TrainStages

@testable import Datasets
@testable import Distill

@Suite("Vocabularies with other ids")
struct VocabularyAlignmentTests {
  let pair: Pair

  init() throws { pair = try Pair() }

  /// All of the tiny model's tokens in another order.
  private static let shuffled: [Int?] = {
    var random = Random(seed: 11)
    return random.shuffled(Array(0..<264)).map { $0 }
  }()

  /// Without the bytes that no UTF-8 text has, with padding in between and at the end.
  private static let trimmed: [Int?] = {
    var ids: [Int?] = shuffled.filter { !(249...256).contains($0 ?? 0) }
    for place in [3, 100, 200] { ids.insert(nil, at: place) }
    return ids + [nil, nil]
  }()

  private func objective(
    _ student: LanguageModel,
    _ teacher: LanguageModel,
    _ divergence: DivergenceOptions = DivergenceOptions(),
    cache folder: URL? = nil,
    topK: Int = 264
  ) throws -> LogitsObjective {
    let model = TeacherModel(
      model: teacher,
      vocabulary: try VocabularyAlignment(student: student, teacher: teacher)
    )
    let cache = try folder.map {
      CachedTeacher(
        teacher: model,
        cache: try TeacherCache(
          $0,
          .init(
            teacher: "t",
            vocabulary: model.vocabulary.common,
            topK: topK,
            temperature: divergence.temperature,
            tokens: model.vocabulary.digest
          )
        ),
        temperature: divergence.temperature,
        separatesDocuments: true
      )
    }
    return LogitsObjective(
      student: student,
      teacher: model,
      options: divergence,
      training: TrainOptions(),
      cache: cache
    )
  }

  /// The first rows of the data as a model's tokenizer reads them.
  private func batch(_ model: LanguageModel, _ name: String) throws -> TokenBatch {
    let options = pair.options()
    let data = try TrainingData(options.training, model, pair.context(name))
    return try data.batch(step: 1, part: 0, options.training.batches)
  }

  // MARK: - Loss and gradients

  @Test("a teacher is no distance from itself under other ids", arguments: [false, true])
  func identity(trims: Bool) throws {
    let other = try RenumberedModel(pair.teacher, trims ? Self.trimmed : Self.shuffled)
    defer { other.remove() }
    let (student, teacher) = (try ModelLoader.load(other.url), try pair.teacher.load())
    let rows = try batch(student, "identity")
    for (own, its) in [(student, teacher), (teacher, student)] {
      let objective = try objective(own, its)
      #expect(objective.teacher.vocabulary.tokens != nil)
      let rows = own === student ? rows : try batch(teacher, "other")
      let measures = try objective.measures(rows)
      let count = Double(rows.countedTargets)
      #expect(count > 100 && abs(measures["divergence"] ?? 1) / count < 1e-6)
    }
    // What is kept has 16 bits for each logarithm.
    let kept = try objective(student, teacher, cache: pair.student.result("kept"), topK: 256)
    let measures = try kept.measures(rows)
    #expect(abs(measures["divergence"] ?? 1) / Double(rows.countedTargets) < 1e-6)
  }

  @Test("losses and gradients are those of equal ids", arguments: DivergenceKind.allCases)
  func gradients(kind: DivergenceKind) throws {
    let other = try RenumberedModel(pair.student, Self.shuffled)
    defer { other.remove() }
    let (plain, renumbered) = (try pair.student.load(), try ModelLoader.load(other.url))
    let teacher = try pair.teacher.load()
    var divergence = DivergenceOptions()
    divergence.loss = kind
    divergence.temperature = 1.5
    divergence.crossEntropy = 0.2
    let rows = try batch(plain, "plain")
    let others = try batch(renumbered, "renumbered")
    #expect(others.tokens.map { Self.shuffled[Int($0)] } == rows.tokens.map { Int($0) })
    for cached in [false, true] {
      func result(_ model: LanguageModel, _ rows: TokenBatch, _ name: String) throws
        -> (Double, [String: Tensor])
      {
        let folder = pair.student.result("\(name)-kept")
        let objective = try objective(model, teacher, divergence, cache: cached ? folder : nil)
        let parameters = model.makeTrainable { _ in true }
        let found = try differentiate(parameters) { try objective.loss(rows) }
        var gradients: [String: Tensor] = [:]
        for parameter in parameters { gradients[parameter.name] = found.gradients[parameter] }
        return (found.value.scalar, gradients)
      }
      let (loss, gradients) = try result(plain, rows, "plain")
      let (otherLoss, otherGradients) = try result(renumbered, others, "renumbered")
      #expect(abs(loss - otherLoss) < 1e-6 && loss > 0.01)
      #expect(gradients.count == otherGradients.count && gradients.count > 10)
      for (name, gradient) in gradients {
        var found = try #require(otherGradients[name])
        if name.contains("embed_tokens") {
          var places = Array(repeating: Int32(0), count: 264)
          for (id, old) in Self.shuffled.enumerated() { places[old ?? 0] = Int32(id) }
          found = found.gathered(rows: places)
        }
        #expect(difference(found, gradient, absolute: 2e-6) == nil, "\(name)")
      }
    }
  }

  // MARK: - Stages

  private func run(_ stage: some Stage, _ student: URL, _ name: String) throws -> StageReport {
    try stage.run(ModelLoader.load(student), pair.context(name))
  }

  @Test("every stage learns from a teacher with more tokens under other ids")
  func stages() throws {
    let other = try RenumberedModel(pair.student, Self.trimmed)
    defer { other.remove() }
    func improved(_ report: StageReport) throws {
      let before = try #require(report.metrics["validation_loss_before"])
      #expect(try #require(report.metrics["validation_loss"]) < 0.95 * before)
      #expect(report.metrics["vocabulary_coverage"] == 256.0 / 264)
      let outside = try #require(report.metrics["teacher_probability_outside"])
      #expect(outside > 1e-4 && outside < 0.2)
      #expect(report.warnings.contains { $0.contains("256 tokens") })
    }
    let logits = try run(DistillLogitsStage(pair.options()), other.url, "logits")
    try improved(logits)
    let kept = pair.options {
      $0.cache = CacheOptions()
      $0.cache?.path = CachePath("kept")
    }
    let first = try run(DistillLogitsStage(kept), other.url, "kept-a")
    try improved(first)
    #expect(first.metrics["teacher_rows_computed"] ?? 0 > 0)
    let again = try run(DistillLogitsStage(kept), other.url, "kept-b")
    #expect(again.metrics["teacher_rows_computed"] == 0)
    // Of the same text, but with other ids.
    let plain = try run(DistillLogitsStage(kept), pair.student.url, "kept-c")
    #expect(plain.metrics["teacher_rows_computed"] ?? 0 > 0)
    let sampled = pair.options {
      $0.onPolicy = OnPolicyOptions()
      $0.onPolicy?.prompt = 8
      $0.onPolicy?.share = 1
    }
    #expect(
      try run(DistillLogitsStage(sampled), other.url, "sampled").metrics["on_policy_steps"] == 12
    )
    var hidden = DistillHiddenOptions()
    hidden.teacher = ModelPath(pair.teacher.url.path)
    hidden.relations = RelationOptions()
    Pair.change(&hidden.training)
    try improved(run(DistillHiddenStage(hidden), other.url, "hidden"))
    var blocks = DistillBlocksOptions()
    blocks.teacher = ModelPath(pair.teacher.url.path)
    Pair.change(&blocks.training)
    blocks.sequences = 8
    let report = try run(DistillBlocksStage(blocks), other.url, "blocks")
    let (before, after) = (
      try #require(report.metrics["mean_state_distance_before"]),
      try #require(report.metrics["mean_state_distance"])
    )
    #expect(after < before && report.metrics["vocabulary_coverage"] == 256.0 / 264)
  }

  @Test("states are those of the same model under equal ids")
  func states() throws {
    let other = try RenumberedModel(pair.teacher, Self.shuffled)
    defer { other.remove() }
    let (student, teacher) = (try ModelLoader.load(other.url), try pair.teacher.load())
    var options = DistillHiddenOptions()
    options.relations = RelationOptions()
    let hidden = HiddenObjective(try objective(student, teacher), options, seed: 1)
    let measures = try hidden.measures(batch(student, "states"))
    #expect(measures.count == 7)
    for (name, value) in measures where name != "cross_entropy" {
      #expect(abs(value) < 1e-4, "\(name)")
    }
  }

  @Test("a plan says that tokens are paired by their text")
  func planned() throws {
    let other = try RenumberedModel(pair.student, Self.trimmed)
    defer { other.remove() }
    let student = try ModelLoader.load(other.url)
    let setting = StageSetting(
      baseline: student,
      paths: RecipePaths(recipeFolder: pair.student.url),
      readsBaseline: true
    )
    let stage = DistillLogitsStage(pair.options())
    let promise = ModelPromise(student.outline)
    #expect(stage.checkInputs(promise, setting).isEmpty)
    let notes = stage.plan(promise, setting).notes
    #expect(notes.contains { $0.contains("256 tokens") && $0.contains("by their text") })
  }

  // MARK: - Refusals

  private func refusal(_ student: URL, _ teacher: URL) throws -> String {
    let found = #expect(throws: DistillError.self) {
      try VocabularyAlignment(
        student: ModelLoader.load(student),
        teacher: ModelLoader.load(teacher)
      )
    }
    let error = try #require(found)
    #expect(error.code == .unusableTeacher)
    return error.problem
  }

  @Test("a vocabulary that lacks tokens of the text is refused with the first place")
  func segmentation() throws {
    // Without “the” the text is cut into “th” and “e”.
    let ids = Self.shuffled.filter { $0 != 258 }
    let other = try RenumberedModel(pair.student, ids)
    defer { other.remove() }
    let problem = try refusal(other.url, pair.teacher.url)
    #expect(problem.contains("from token"))
    let parts = problem.components(separatedBy: ", and ")
    #expect(parts.first?.contains("“the”") == true && parts.last?.contains("“th” “") == true)
  }

  @Test("too little in common is another tokenizer, with numbers and an example")
  func others() throws {
    let file = pair.teacher.result("tokenizer.json")
    var tokenizer = try RenumberedModel.json(file)
    var model = try #require(tokenizer["model"] as? [String: Any])
    let ids = try #require(model["vocab"] as? [String: Int])
    model["vocab"] = Dictionary(
      uniqueKeysWithValues: ids.map { $1 > 100 ? ("\($0)\($0)#", $1) : ($0, $1) }
    )
    model["merges"] = [String]()
    tokenizer["model"] = model
    try RenumberedModel.write(tokenizer, to: file)
    let problem = try refusal(pair.student.url, pair.teacher.url)
    #expect(problem.contains("of 264 tokens it has 101 among its 264"))
    #expect(problem.contains("the first that it lacks is 101"))
  }

  @Test("data with a token that the teacher lacks is refused before anything is learned")
  func unknown() throws {
    // “^” is not in the text that tokenizers are compared on.
    let teacher = try RenumberedModel(pair.teacher, Self.shuffled.filter { $0 != 95 })
    defer { teacher.remove() }
    let stage = DistillLogitsStage(pair.options { $0.teacher = ModelPath(teacher.url.path) })
    #expect(try pair.problems(stage).isEmpty)
    _ = try pair.run(stage, "known")
    let text = try String(contentsOf: pair.student.result("data.txt"), encoding: .utf8)
    try Data((text + " 2^8 is 256").utf8).write(to: pair.student.result("data.txt"))
    let found = #expect(throws: DistillError.self) { try pair.run(stage, "unknown") }
    let error = try #require(found)
    #expect(error.problem.contains("token 95, “^”") && error.problem.contains("data.txt"))
  }

  @Test("an input that the teacher lacks stops unless nothing that counts sees it")
  func inputs() throws {
    let alignment = VocabularyAlignment(
      tokens: CommonTokens(student: [0, 2, 3], reference: [5, 1, 0]),
      student: 4,
      teacher: 6
    )
    #expect(alignment.coverage == 0.5 && alignment.unknownTokens == [1])
    #expect(alignment.padding([1, 3]) == 3 && alignment.padding([1]) == 0)
    var batch = TokenBatch(rows: 2, columns: 3, padding: 1)
    batch.tokens = [0, 2, 1, 3, 1, 1]
    batch.targets = [2, 3, -1, 0, -1, -1]
    #expect(try alignment.teacherInputs(batch) == [5, 1, 5, 0, 5, 5])
    batch.targets[4] = 2
    #expect(throws: DistillError.self) { try alignment.teacherInputs(batch) }
    // The first ids of both are no pairs to look up.
    let equal = VocabularyAlignment(
      tokens: CommonTokens(student: [0, 1, 2], reference: [0, 1, 2]),
      student: 4,
      teacher: 6
    )
    #expect(equal == VocabularyAlignment(common: 3, student: 4, teacher: 6))
  }
}

/// A copy of a tiny model with other ids: each the row and token of an old one, or padding of large
/// numbers.
struct RenumberedModel {
  let url: URL

  init(_ model: TinyModel, _ old: [Int?]) throws {
    url = FileManager.default.temporaryDirectory.appending(path: "renumbered-\(UUID())")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    let source = try SafetensorsFile(path: model.result("model.safetensors").path)
    let name = "model.embed_tokens.weight"
    let tensors = try model.load().outline.parts.map { part -> (String, Tensor) in
      let tensor = try source.tensor("\(part.name).weight")
      guard "\(part.name).weight" == name else { return ("\(part.name).weight", tensor) }
      let (rows, width) = (tensor.elements(as: Float.self), tensor.shape[1])
      let changed = old.flatMap { id in
        id.map { Array(rows[$0 * width..<($0 + 1) * width]) }
          ?? Array(repeating: 3, count: width)
      }
      return (name, Tensor(changed, shape: [old.count, width]))
    }
    var writer = try SafetensorsWriter(
      path: url.appending(path: "model.safetensors").path,
      tensors: tensors.map { TensorDeclaration($0.0, dtype: $0.1.dtype, shape: $0.1.shape) }
    )
    for (name, tensor) in tensors { try writer.append(tensor, to: name) }
    try writer.finish()
    try Self.write(try Self.tokenizer(model, old), to: url.appending(path: "tokenizer.json"))
    var configuration = try Self.json(model.result("config.json"))
    configuration["vocab_size"] = old.count
    configuration["eos_token_id"] = old.firstIndex(of: 0)
    try Self.write(configuration, to: url.appending(path: "config.json"))
    try FileManager.default.copyItem(
      at: model.result("tokenizer_config.json"),
      to: url.appending(path: "tokenizer_config.json")
    )
  }

  func remove() { try? FileManager.default.removeItem(at: url) }

  private static func tokenizer(_ source: TinyModel, _ old: [Int?]) throws -> [String: Any] {
    var tokenizer = try json(source.result("tokenizer.json"))
    var model = try #require(tokenizer["model"] as? [String: Any])
    let ids = try #require(model["vocab"] as? [String: Int])
    let merges = try #require(model["merges"] as? [String])
    var places: [Int: Int] = [:]
    for (place, id) in old.enumerated() { if let id { places[id] = place } }
    let kept = ids.compactMapValues { places[$0] }
    model["vocab"] = kept
    model["merges"] = merges.filter { merge in
      let parts = merge.split(separator: " ").map(String.init)
      return ([parts.joined()] + parts).allSatisfy { kept[$0] != nil }
    }
    tokenizer["model"] = model
    var added = try #require(tokenizer["added_tokens"] as? [[String: Any]])
    for index in added.indices { added[index]["id"] = places[0] }
    tokenizer["added_tokens"] = added
    return tokenizer
  }

  static func json(_ file: URL) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
  }

  static func write(_ value: [String: Any], to file: URL) throws {
    try JSONSerialization.data(withJSONObject: value).write(to: file)
  }
}
