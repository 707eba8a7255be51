import Evaluate
import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing
import Train
import TrainStages

@testable import Datasets
@testable import Distill

@Suite("Distillation against torch")
struct DistillationGoldenTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden/models")

  let golden: Golden
  let student: LanguageModel
  let teacher: TeacherModel

  init() throws {
    golden = try Golden("distillation.safetensors")
    student = try ModelLoader.load(Self.folder.appending(path: "llama-grouped"))
    teacher = TeacherModel(
      model: try ModelLoader.load(Self.folder.appending(path: "llama-head-size")),
      vocabulary: VocabularyAlignment(common: 64, student: 64, teacher: 64)
    )
  }

  private func batch(_ step: Int) -> TokenBatch {
    let tokens = golden["tokens"]  // [steps, B, T + 1]
    let (rows, length) = (tokens.shape[1], tokens.shape[2] - 1)
    let all = tokens.elements(as: Int32.self)
    var batch = TokenBatch(rows: rows, columns: length, padding: 0)
    for row in 0..<rows {
      let first = ((step - 1) * rows + row) * (length + 1)
      for column in 0..<length {
        batch.tokens[row * length + column] = all[first + column]
        batch.targets[row * length + column] = all[first + column + 1]
      }
    }
    return batch
  }

  /// The losses of ten steps of AdamW.
  private func curve(
    _ parameters: [Parameter],
    _ loss: @escaping (TokenBatch) throws -> Tensor
  ) throws -> [Double] {
    var options = TrainingOptions(schedule: .constant(peak: 1e-2, steps: 10))
    options.checkpointTime = nil
    var losses: [Double] = []
    let loop = TrainingLoop<TokenBatch>(
      parameters: parameters,
      optimizer: AdamW(beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1),
      options: options,
      batch: { step, _ in batch(step) },
      tokenCount: \.countedTargets,
      loss: loss,
      onProgress: { losses.append($0.loss) }
    )
    _ = try loop.run()
    return losses
  }

  private func logits(_ kind: DivergenceKind, _ cache: CachedTeacher? = nil) -> LogitsObjective {
    var options = DivergenceOptions()
    options.loss = kind
    options.temperature = 2
    options.crossEntropy = 0.3
    return LogitsObjective(
      student: student,
      teacher: teacher,
      options: options,
      training: TrainOptions(),
      cache: cache
    )
  }

  @Test("ten steps on the teacher's probabilities", arguments: DivergenceKind.allCases)
  func logits(kind: DivergenceKind) throws {
    let parameters = student.makeTrainable { _ in true }
    let objective = logits(kind).objective
    let losses = try curve(parameters, objective.loss)
    let expected = golden["curve.\(kind.rawValue)"].numbers
    #expect(difference(losses, expected, absolute: 2e-4) == nil)
    guard kind == .forwardKL else { return }
    for parameter in parameters {
      let final = golden["final.\(parameter.name)"]
      #expect(difference(parameter.value, final, absolute: 2e-3) == nil, "\(parameter.name)")
    }
  }

  @Test(
    "ten steps on what is kept of the teacher's probabilities",
    arguments: DivergenceKind.allCases
  )
  func kept(kind: DivergenceKind) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "kept-\(UUID())")
    defer { try? FileManager.default.removeItem(at: folder) }
    let cached = CachedTeacher(
      teacher: teacher,
      cache: try TeacherCache(
        folder,
        .init(teacher: "golden", vocabulary: 64, topK: 8, temperature: 2)
      ),
      temperature: 2,
      separatesDocuments: true
    )
    let parameters = student.makeTrainable { _ in true }
    let losses = try curve(parameters, logits(kind, cached).objective.loss)
    let expected = golden["curve.\(kind.rawValue).kept"].numbers
    // Probabilities are kept in 16 bits.
    #expect(difference(losses, expected, absolute: 5e-4) == nil)
    #expect(cached.cache.added == 20 && cached.cache.found == 0)
  }

  @Test("ten steps on the teacher's states and probabilities")
  func hidden() throws {
    var options = DistillHiddenOptions()
    options.hiddenWeight = 2
    options.logitsWeight = 0.5
    let hidden = HiddenObjective(logits(.forwardKL), options, seed: 1)
    #expect(hidden.projections.isEmpty && hidden.pairs.map(\.teacher) == [0, 1])
    let parameters = student.makeTrainable { _ in true }
    let losses = try curve(parameters) { try hidden.loss($0) }
    #expect(difference(losses, golden["curve.hidden"].numbers, absolute: 5e-4) == nil)
  }

  @Test(
    "ten steps on the relations of the teacher's attention, whatever is computed again",
    arguments: Recomputation.allCases
  )
  func relations(recomputation: Recomputation) throws {
    var options = DistillHiddenOptions()
    (options.hiddenWeight, options.logitsWeight) = (0, 0.5)
    var relations = RelationOptions()
    relations.weight = 3
    (relations.heads, relations.teacherLayer) = (4, 0)
    options.relations = relations
    var training = TrainOptions()
    training.compute.recompute = recomputation
    let plain = logits(.forwardKL)
    let hidden = HiddenObjective(
      LogitsObjective(
        student: student,
        teacher: teacher,
        options: plain.options,
        training: training,
        cache: nil
      ),
      options,
      seed: 1
    )
    #expect(hidden.pairs.isEmpty && hidden.relations?.studentLayer == 1)
    let parameters = student.makeTrainable { _ in true }
    let losses = try curve(parameters) { try hidden.loss($0) }
    #expect(difference(losses, golden["curve.relations"].numbers, absolute: 1e-3) == nil)
    let measures = try hidden.measures(batch(1))
    #expect(measures["queries_relations"] ?? 0 > 0 && measures["values_relations"] ?? 0 > 0)
  }

  @Test("ten steps of one block on the teacher's input and output")
  func block() throws {
    let parameters = student.makeTrainable { $0.hasPrefix("model.layers.1.") }
    let losses = try curve(parameters) { batch in
      let start = teacher.model.embedded(batch.tokens, rows: batch.rows)
      let input = teacher.model.stream(start, afterBlock: 0, documentStarts: nil)
      let expected = teacher.model.stream(input, afterBlock: 1, documentStarts: nil)
      let output = student.stream(input, afterBlock: 1, documentStarts: nil)
      return StateDistance.relative.mean(output, expected, targets: batch.targets)
    }
    #expect(difference(losses, golden["curve.blocks"].numbers, absolute: 5e-5) == nil)
  }
}
