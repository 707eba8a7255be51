import Evaluate
import Foundation
import Models
import Pipeline
import Tensor
import TestSupport
import Testing
import Tokenizers
import Train
import TrainStages

@testable import Datasets
@testable import Distill

@Suite("Learning from one's own texts")
struct OnPolicyTests {
  let pair: Pair

  init() throws { pair = try Pair() }

  static func change(_ options: inout OnPolicyOptions?) {
    options = OnPolicyOptions()
    options?.prompt = 8
  }

  private func options(
    _ change: (inout DistillLogitsOptions) -> Void = { _ in }
  ) -> DistillLogitsOptions {
    pair.options {
      Self.change(&$0.onPolicy)
      change(&$0)
    }
  }

  private func samples(
    _ change: (inout OnPolicyOptions, inout TrainOptions) -> Void = { _, _ in }
  ) throws -> StudentSamples {
    var options = options()
    var onPolicy = try #require(options.onPolicy)
    change(&onPolicy, &options.training)
    let model = try pair.student.load()
    let vocabulary = VocabularyAlignment(common: 264, student: 264, teacher: 264)
    return StudentSamples(onPolicy, model, options.training, vocabulary, seed: 5)
  }

  /// The rows of the data at a step.
  private func batch(_ samples: StudentSamples, _ name: String = "data") throws -> TokenBatch {
    let options = options()
    let data = try TrainingData(options.training, samples.model, pair.context(name))
    return try data.batch(step: 1, part: 0, options.training.batches)
  }

  // MARK: - Rows

  @Test("a question is a prompt, and so is the beginning of a text that is long enough")
  func prompts() {
    func batch(_ targets: [Int32], _ starts: [Int32]) -> TokenBatch {
      var batch = TokenBatch(rows: 1, columns: targets.count, padding: 0)
      batch.tokens = targets.indices.map { Int32(100 + $0) }
      (batch.targets, batch.documentStarts) = (targets, starts)
      return batch
    }
    let text = batch([1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(text.prompt(ofRow: 0, count: 3) == [100, 101, 102])
    let short = batch([1, -1, 3, 4, 5, 6, 7, -1], [0, 0, 2, 2, 2, 2, 2, 7])
    #expect(short.prompt(ofRow: 0, count: 3) == [102, 103, 104])
    // None is longer than that: the longest, but for a token.
    #expect(short.prompt(ofRow: 0, count: 5) == [102, 103, 104, 105])
    // The prediction after the last token of the question is the answer's first.
    let question = batch([-1, -1, -1, 4, 5, -1, 7, -1], [0, 0, 0, 0, 0, 0, 6, 6])
    #expect(question.prompt(ofRow: 0, count: 2) == [100, 101, 102, 103])
    let padding = batch([-1, -1, -1, -1], [0, 0, 0, 0])
    #expect(padding.prompt(ofRow: 0, count: 2) == nil)
  }

  @Test("rows begin with the prompt and go on as the student would; only that counts")
  func rows() throws {
    let samples = try samples { onPolicy, _ in onPolicy.temperature = 1e-9 }
    let data = try batch(samples)
    let rows = try samples.sample(data, step: 1, firstRow: 0)
    let columns = rows.columns
    #expect(rows.rows == data.rows && columns <= 32)
    for row in 0..<rows.rows {
      let range = row * columns..<(row + 1) * columns
      let (tokens, targets) = (Array(rows.tokens[range]), Array(rows.targets[range]))
      let prompt = try #require(data.prompt(ofRow: row, count: 8))
      #expect(prompt.count == 8 && Array(tokens.prefix(8)) == prompt)
      let made = try samples.model.generate(from: prompt, count: 25, sampling: Sampling())
      let counted = targets.indices.filter { targets[$0] >= 0 }
      #expect(counted.first == 7)
      #expect(counted.map { targets[$0] }.prefix(made.count).elementsEqual(made))
      #expect(counted.count == made.count || made.count < 25)
      for column in counted.dropLast() { #expect(tokens[column + 1] == targets[column]) }
    }
  }

  @Test("tokens after the end of a text do not count, and no more than asked for are made")
  func ends() throws {
    let samples = try samples { onPolicy, _ in
      onPolicy.tokens = 5
      onPolicy.temperature = 100
    }
    let data = try batch(samples)
    let rows = try samples.sample(data, step: 3, firstRow: 0)
    #expect(rows.columns == 12 && rows.countedTargets == 20)
    // A student that can only end the text.
    let narrow = StudentSamples(
      OnPolicyOptions(),
      samples.model,
      options().training,
      VocabularyAlignment(common: 1, student: 264, teacher: 264),
      seed: 5
    )
    let ended = try narrow.sample(data, step: 1, firstRow: 0)
    #expect(ended.countedTargets == 4)
    #expect(ended.targets.allSatisfy { $0 <= 0 })
  }

  @Test("are drawn by step and row, not by part")
  func parts() throws {
    let whole = try samples { onPolicy, _ in onPolicy.share = 1 }
    let parted = try samples { onPolicy, training in
      onPolicy.share = 1
      training.batches.accumulation = 2
    }
    let data = try batch(whole)
    var halves = [data, data]
    for (index, _) in halves.enumerated() {
      let range = index * 64..<(index + 1) * 64
      halves[index].rows = 2
      halves[index].tokens = Array(data.tokens[range])
      halves[index].targets = Array(data.targets[range])
      halves[index].documentStarts = Array(data.documentStarts[range])
    }
    let all = try #require(try whole.rows(data, 7, 0))
    var parts: [TokenBatch] = []
    for (part, half) in halves.enumerated() {
      parts.append(try #require(try parted.rows(half, 7, part)))
    }
    #expect(parts.flatMap(\.targets).filter { $0 >= 0 } == all.targets.filter { $0 >= 0 })
    #expect(try whole.rows(data, 7, 0) == all)
    #expect(try whole.rows(data, 8, 0) != all)
    let counted = (0..<4).map { row in
      all.targets[row * all.columns..<(row + 1) * all.columns].filter { $0 >= 0 }
    }
    #expect(Set(counted).count == 4)
  }

  @Test("a share of the steps is sampled", arguments: [0.1, 0.5, 1])
  func share(share: Double) throws {
    let samples = try samples { onPolicy, _ in onPolicy.share = share }
    let count = (1...2000).count { samples.isSampled($0) }
    #expect(abs(Double(count) / 2000 - share) <= 4 * (share * (1 - share) / 2000).squareRoot())
  }

  @Test("questions of conversations are answered")
  func questions() throws {
    let template =
      "{% for message in messages %}{{ '[' + message['role'] + ']' + message['content'] + '|' }}"
      + "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
    for model in [pair.student, pair.teacher] {
      try JSONSerialization.data(withJSONObject: [
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>",
        "chat_template": template,
      ]).write(to: model.result("tokenizer_config.json"))
    }
    let line = #"{"prompt": "who", "response": "the cat and the rat ran there"}"# + "\n"
    try Data(String(repeating: line, count: 20).utf8).write(to: pair.student.result("data.jsonl"))
    let stage = DistillLogitsStage(
      options {
        $0.training.data = [DataInput("data.jsonl")]
        $0.training.batches.length = 48
        $0.onPolicy?.share = 1
      }
    )
    let (model, report) = try pair.run(stage)
    #expect(report.metrics["on_policy_steps"] == 12)
    let samples = try samples { _, training in training.batches.length = 48 }
    let data = try TrainingData(stage.options.training, model, pair.context("again"))
    let batch = try data.batch(step: 1, part: 0, stage.options.training.batches)
    let rows = try samples.sample(batch, step: 1, firstRow: 0)
    let tokenizer = try model.tokenizer()
    for row in 0..<rows.rows {
      let range = row * rows.columns..<(row + 1) * rows.columns
      let first = try #require(range.first { rows.targets[$0] >= 0 })
      let text = try tokenizer.decode(Array(rows.tokens[range.lowerBound...first]))
      #expect(text.hasSuffix("who|[assistant]"), "\(text)")
    }
  }

  // MARK: - Training

  @Test("a student comes nearer to the teacher in its own texts", arguments: [false, true])
  func learns(parted: Bool) throws {
    let stage = DistillLogitsStage(
      options {
        $0.onPolicy?.share = 1
        $0.training.steps = 40
        $0.training.batches.accumulation = parted ? 2 : 1
        $0.divergence.loss = .jensenShannon
      }
    )
    let (_, report) = try pair.run(stage)
    let file = pair.student.result("run").appending(path: "metrics.jsonl")
    let losses = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap {
      (try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["loss"] as? Double
    }
    #expect(losses.count == 40 && report.metrics["on_policy_steps"] == 40)
    let (first, last) = (losses.prefix(5).reduce(0, +), losses.suffix(5).reduce(0, +))
    #expect(last < 0.8 * first, "\(losses)")
  }

  @Test("the text's part of the loss is left out where the text is the student's")
  func crossEntropy() throws {
    let samples = try samples()
    let rows = try samples.sample(try batch(samples), step: 1, firstRow: 0)
    let teacher = TeacherModel(
      model: try pair.teacher.load(),
      vocabulary: samples.vocabulary
    )
    func loss(_ share: Double, isSampled: Bool) throws -> Double {
      var divergence = DivergenceOptions()
      divergence.crossEntropy = share
      return try LogitsObjective(
        student: samples.model,
        teacher: teacher,
        options: divergence,
        training: TrainOptions(),
        cache: nil
      ).loss(rows, isSampled: isSampled).scalar
    }
    #expect(try loss(0.5, isSampled: true) == loss(0, isSampled: true))
    #expect(try loss(0.5, isSampled: false) != loss(0, isSampled: false))
  }

  @Test("gives the same bytes again, also with states, adapters and an average")
  func deterministic() throws {
    let stage = DistillLogitsStage(
      options {
        $0.training.lora = AdapterOptions()
        $0.training.lora?.dropout = 0.1
        $0.training.rule.average = 0.9
      }
    )
    #expect(try weights(pair.run(stage, "a").model) == weights(pair.run(stage, "b").model))
    var hidden = DistillHiddenOptions()
    hidden.teacher = ModelPath(pair.teacher.url.path)
    Pair.change(&hidden.training)
    let plain = try pair.run(DistillHiddenStage(hidden), "c")
    Self.change(&hidden.onPolicy)
    let first = try pair.run(DistillHiddenStage(hidden), "d")
    #expect(try weights(pair.run(DistillHiddenStage(hidden), "e").model) == weights(first.model))
    #expect(weights(first.model) != weights(plain.model))
    let steps = try #require(first.report.metrics["on_policy_steps"])
    #expect(steps > 0 && steps < 12)
    #expect(
      first.report.metrics["validation_loss"] ?? 9 < first.report.metrics["validation_loss_before"]
        ?? 0
    )
  }

  private struct Interruption: Error {}

  @Test("an interrupted training ends with the same bytes", arguments: [5, 12, 20])
  func interrupted(call: Int) throws {
    let options = options { $0.training.saveMinutes = 1e-9 }
    let whole = try pair.run(DistillLogitsStage(options), "whole")
    let context = try pair.context("part")
    let model = try pair.student.load()
    let teacher = try TeacherModel(options.teacher, of: model, options.training, context)
    let data = try TrainingData(options.training, model, context)
    var logits = LogitsObjective(
      student: model,
      teacher: teacher,
      options: options.divergence,
      training: options.training,
      cache: nil
    )
    logits.samples = try StudentSamples(
      #require(options.onPolicy),
      model,
      options.training,
      teacher.vocabulary,
      seed: context.seed
    )
    var objective = logits.objective
    var calls = 0
    func counted(_ loss: @escaping (TokenBatch) throws -> Tensor) -> (TokenBatch) throws -> Tensor {
      { batch in
        calls += 1
        if calls == call { throw Interruption() }
        return try loss(batch)
      }
    }
    objective.loss = counted(objective.loss)
    if let loss = objective.sampled?.loss { objective.sampled?.loss = counted(loss) }
    let session = TrainingSession(options.training, model, context, objective: objective)
    #expect(throws: Interruption.self) { try session.run(on: data) }
    let again = try pair.run(DistillLogitsStage(options), "part")
    #expect(weights(again.model) == weights(whole.model))
    #expect(again.report == whole.report)
    let metrics = ["whole", "part"].map {
      try? Data(contentsOf: pair.student.result($0).appending(path: "metrics.jsonl"))
    }
    #expect(metrics[0] != nil && metrics[0] == metrics[1])
  }

  // MARK: - Refusals

  @Test("kept outputs and prompts without room are refused, and a plan says what sampling takes")
  func refusals() throws {
    #expect(options().problems().isEmpty)
    let cached = options { $0.cache = CacheOptions() }.problems()
    #expect(cached.map(\.option) == ["cache"] && cached[0].message.contains("has to run"))
    #expect(
      options { $0.onPolicy?.prompt = 32 }.problems().map(\.option) == ["on_policy.prompt"]
    )
    var hidden = DistillHiddenOptions()
    Pair.change(&hidden.training)
    hidden.onPolicy = OnPolicyOptions()
    #expect(hidden.problems().map(\.option) == ["on_policy.prompt"])
    let promise = ModelPromise(try pair.student.load().outline)
    let plan = try DistillLogitsStage(options()).plan(promise, pair.setting)
    #expect(
      plan.notes.contains { $0.contains("50 % of the steps") && $0.contains("up to 25 tokens") },
      "\(plan.notes)"
    )
    let plain = try DistillLogitsStage(pair.options()).plan(promise, pair.setting)
    #expect(try #require(plan.seconds) > #require(plain.seconds))
    #expect(try #require(plan.peakByteCount) > #require(plain.peakByteCount))
    #expect(try pair.problems(DistillLogitsStage(options())).isEmpty)
  }
}

@Suite("Threads and learning from one's own texts", .serialized)
struct OnPolicyThreadsTests {
  @Test("one thread and two give the same bytes")
  func threads() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "threads-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.path
    for count in 1...2 {
      await #expect(processExitsWith: .success) {
        [path = path as String, count = count as Int] in
        setenv("SLM_THREADS", "\(count)", 1)
        #expect(Parallelism.threadCount == count)
        let pair = try Pair()
        let stage = DistillLogitsStage(pair.options { OnPolicyTests.change(&$0.onPolicy) })
        let bytes = try weights(pair.run(stage).model).flatMap(\.self).map(\.bitPattern)
        let data = bytes.withUnsafeBytes { Data($0) }
        try data.write(to: URL(filePath: path).appending(path: "\(count)"))
      }
    }
    let one = try Data(contentsOf: folder.appending(path: "1"))
    #expect(one.count > 100_000)
    #expect(try Data(contentsOf: folder.appending(path: "2")) == one)
  }
}
