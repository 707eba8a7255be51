import Checkpoints
import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing
import TrainStages

@testable import Distill

@Suite("distill.hidden and distill.blocks")
struct DistillStatesTests {
  let pair: Pair

  init() throws { pair = try Pair() }

  private func hidden(
    _ change: (inout DistillHiddenOptions) -> Void = { _ in }
  ) -> DistillHiddenStage {
    var options = DistillHiddenOptions()
    options.teacher = ModelPath(pair.teacher.url.path)
    Pair.change(&options.training)
    change(&options)
    return DistillHiddenStage(options)
  }

  private func blocks(
    _ change: (inout DistillBlocksOptions) -> Void = { _ in }
  ) -> DistillBlocksStage {
    var options = DistillBlocksOptions()
    options.teacher = ModelPath(pair.teacher.url.path)
    options.sequences = 16
    Pair.change(&options.training)
    change(&options)
    return DistillBlocksStage(options)
  }

  @Test("states and probabilities come nearer", arguments: StateDistance.allCases)
  func states(distance: StateDistance) throws {
    let report = try pair.run(hidden { $0.stateLoss = distance }).report
    let before = try #require(report.metrics["validation_loss_before"])
    #expect(try #require(report.metrics["validation_loss"]) < before)
    #expect(report.layers.map(\.name) == ["model.layers.0", "model.layers.1"])
    #expect(report.layers.allSatisfy { $0.values["state_distance"] ?? 0 > 0 })
  }

  @Test("relations of attention come nearer, beside the states or in their place")
  func relations() throws {
    for weight in [0, 1.0] {
      let stage = hidden {
        $0.hiddenWeight = weight
        $0.logitsWeight = 0
        $0.relations = RelationOptions()
        $0.relations?.heads = 4
        $0.training.compute.recompute = .blocks
      }
      let (model, report) = try pair.run(stage, "relations\(weight)")
      let before = try #require(report.metrics["validation_loss_before"])
      #expect(try #require(report.metrics["validation_loss"]) < 0.9 * before)
      let layer = try #require(report.layers.first)
      #expect(layer.name == "model.layers.1.self_attn")
      #expect(layer.note == "relations of layer 1, 4 heads")
      #expect(
        Set(layer.values.keys) == ["queries_relations", "keys_relations", "values_relations"]
      )
      #expect(report.layers.count == (weight > 0 ? 3 : 1))
      #expect(try weights(pair.run(stage, "again\(weight)").model) == weights(model))
    }
  }

  @Test("relations that cannot be compared are refused, and a plan names those that can")
  func relationOptions() throws {
    let uneven = hidden {
      $0.relations = RelationOptions()
      $0.relations?.heads = 5
      $0.relations?.teacherLayer = 2
    }
    #expect(
      try pair.problems(uneven).map(\.option) == ["relations.teacher_layer", "relations.heads"]
    )
    var options = DistillHiddenOptions()
    options.hiddenWeight = 0
    #expect(options.problems().map(\.option) == ["hidden_weight"])
    options.relations = RelationOptions()
    #expect(options.problems().isEmpty)
    let stage = hidden { $0.relations = RelationOptions() }
    let promise = ModelPromise(try pair.student.load().outline)
    let notes = try stage.plan(promise, pair.setting).notes
    #expect(
      notes.contains {
        $0.contains("queries, keys and values in layer 1") && $0.contains("2 heads")
      },
      "\(notes)"
    )
  }

  @Test("a projection from the student's width to the teacher's is drawn from the seed")
  func drawnProjections() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Golden/models/llama-grouped")
    let narrow = TeacherModel(
      model: try ModelLoader.load(folder),
      vocabulary: VocabularyAlignment(common: 64, student: 264, teacher: 64)
    )
    let model = try pair.student.load()
    let logits = LogitsObjective(
      student: model,
      teacher: narrow,
      options: DivergenceOptions(),
      training: TrainOptions(),
      cache: nil
    )
    let objective = HiddenObjective(logits, DistillHiddenOptions(), seed: 3)
    #expect(objective.projections.map(\.shape) == [[32, 64], [32, 64]])
    #expect(objective.objective.helpers.count == 2)
    let again = HiddenObjective(logits, DistillHiddenOptions(), seed: 3)
    #expect(again.projections[1].value.numbers == objective.projections[1].value.numbers)
  }

  /// Takes half of the channels of the teacher's residual stream.
  private func narrowTeacher() throws {
    let teacher = try pair.teacher.load()
    var structure = RemainingStructure(teacher.configuration)
    structure.channels[.hidden] = Array(0..<32)
    try pair.teacher.save(teacher.reduced(to: structure))
  }

  @Test("a projection is learned where widths differ, and is not part of the saved model")
  func learnedProjections() throws {
    try narrowTeacher()
    var training = TrainOptions()
    Pair.change(&training)
    // Nothing of the model's that states go through: only projections can bring them nearer.
    training.parts.targets = [NamePattern("model.norm")]
    training.rule.learningRate = 2e-2
    let model = try pair.student.load()
    let logits = LogitsObjective(
      student: model,
      teacher: TeacherModel(
        model: try pair.teacher.load(),
        vocabulary: VocabularyAlignment(common: 264, student: 264, teacher: 264)
      ),
      options: DivergenceOptions(),
      training: training,
      cache: nil
    )
    let hidden = HiddenObjective(logits, DistillHiddenOptions(), seed: 3)
    let context = try pair.context("learned")
    let data = try TrainingData(training, model, context)
    let batch = try #require(data.validation.first)
    let before = try hidden.measures(batch)
    _ = try TrainingSession(training, model, context, objective: hidden.objective).run(on: data)
    let after = try hidden.measures(batch)
    for layer in 0..<2 {
      let key = "state_distance_\(layer)"
      let (first, last) = (try #require(before[key]), try #require(after[key]))
      #expect(last < 0.9 * first, "\(layer)")
    }
    let saved = { try CheckpointFolder(pair.student.url.path).open() }
    let names = try saved().entries.map(\.name)
    try pair.student.save(model)
    #expect(try saved().entries.map(\.name).sorted() == names.sorted())
  }

  @Test("a plan counts the teacher's states, and projections where widths differ")
  func plannedStates() throws {
    let promise = ModelPromise(try pair.student.load().outline)
    func bytes(_ weight: Double) throws -> Int {
      try #require(hidden { $0.hiddenWeight = weight }.plan(promise, pair.setting).peakByteCount)
    }
    // Two pairs of layers, four rows of 32 positions.
    let states = 2 * 4 * 4 * 32
    let difference = { try bytes(1) - bytes(0) }
    #expect(try difference() == 2 * states * 64)
    try narrowTeacher()
    #expect(try difference() == 3 * states * 32 + 2 * 16 * 32 * 64)
  }

  @Test("layers that are not there are refused")
  func layers() throws {
    let problems = try pair.problems(hidden { $0.layers.teacherLayers = [0, 7] })
    #expect(problems.map(\.option) == ["teacher_layers"])
    #expect(
      try pair.problems(blocks { $0.teacherLayers = [0] }).map(\.option) == ["teacher_layers"]
    )
    let small = try pair.problems(blocks { $0.training.compute.memoryLimit = ByteSize(1000) })
    #expect(small.map(\.option) == ["sequences"])
    var options = DistillBlocksOptions()
    (options.sequences, options.training.batches.batch) = (10, 4)
    #expect(options.problems().map(\.option) == ["sequences"])
    #expect(options.problems().first?.message.contains("but 8 do") == true)
    options.sequences = 12
    #expect(options.problems().isEmpty)
  }

  @Test("every block comes nearer to the teacher's", arguments: BlockInputs.allCases)
  func blocks(inputs: BlockInputs) throws {
    let stage = blocks { $0.inputs = inputs }
    let (model, report) = try pair.run(stage)
    #expect(report.layers.count == 2)
    // The losses of all blocks, one after another, those of held-out text included.
    let metrics = pair.student.result("run").appending(path: "metrics.jsonl")
    let lines = try String(contentsOf: metrics, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 2 * 13)
    #expect(lines.count { $0.contains("\"loss\":") } == 24)
    #expect(lines.last?.hasPrefix("{\"step\":24,\"block\":1,\"loss\":") == true)
    for layer in report.layers {
      let before = try #require(layer.values["state_distance_before"])
      #expect(try #require(layer.values["state_distance"]) < before, "\(layer.name)")
    }
    let original = try pair.student.load()
    #expect(weights(model)[0] == weights(original)[0])
    #expect(try weights(pair.run(stage, "again").model) == weights(model))
  }

  @Test("an interrupted run goes on with the blocks that are left")
  func resumed() throws {
    let stage = blocks()
    let whole = try pair.run(stage, "whole")
    // A run that is left after its first block: its state says what was done.
    let state = pair.student.result("part").appending(path: "state")
    try FileManager.default.createDirectory(
      at: state.deletingLastPathComponent(),
      withIntermediateDirectories: true
    )
    try FileManager.default.copyItem(
      at: pair.student.result("whole").appending(path: "state"),
      to: state
    )
    try FileManager.default.removeItem(at: state.appending(path: "block-1"))
    let again = try pair.run(stage, "part")
    #expect(weights(again.model) == weights(whole.model))
    #expect(again.report == whole.report)
  }

  @Test("only selected parts are trained, and a block without any is left as it is")
  func selection() throws {
    let stage = blocks { $0.training.parts.targets = [NamePattern("model.layers.1.mlp.*")] }
    let (model, report) = try pair.run(stage)
    #expect(report.layers.map(\.name) == ["model.layers.1"])
    let original = try pair.student.load()
    for (new, old) in zip(model.matrices, original.matrices) {
      let isEqual =
        new.weight.dense.elements(as: Float.self) == old.weight.dense.elements(as: Float.self)
      #expect(isEqual == !new.name.hasPrefix("model.layers.1.mlp."), "\(new.name)")
    }
  }
}
