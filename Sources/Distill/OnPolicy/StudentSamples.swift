internal import Datasets
internal import Models
internal import Pipeline
internal import Tensor
internal import TrainStages

/// Rows that a student writes while it is trained: prompts of the data's rows, continued.
///
/// What is sampled depends on the seed, the step, the row's number in it and the student's weights,
/// not on how many parts a step has or on what happened before.
struct StudentSamples {
  let options: OnPolicyOptions
  let model: LanguageModel
  let batches: BatchSettings
  let vocabulary: VocabularyAlignment
  let seed: UInt64

  init(
    _ options: OnPolicyOptions,
    _ model: LanguageModel,
    _ training: TrainOptions,
    _ vocabulary: VocabularyAlignment,
    seed: UInt64
  ) {
    (self.options, self.model, self.batches) = (options, model, training.batches)
    (self.vocabulary, self.seed) = (vocabulary, seed)
  }

  /// The random numbers of a step.
  private func random(_ step: Int) -> Random {
    // Not the sequence that shuffles the data or drops inputs.
    Random(seed: (seed ^ 0x5DEE_CE66_D1CE_4E5B) &+ UInt64(step) &* 0x9E37_79B9_7F4A_7C15)
  }

  /// Whether a step, from 1, is on the student's own texts.
  func isSampled(_ step: Int) -> Bool {
    var random = random(step)
    return random.uniform() < options.share
  }

  /// The rows of a part of a step; nil if the data's stay.
  func rows(_ batch: TokenBatch, _ step: Int, _ part: Int) throws -> TokenBatch? {
    guard isSampled(step) else { return nil }
    return try sample(batch, step: step, firstRow: part * (batches.batch / batches.accumulation))
  }

  /// Continues the prompts of some rows.
  ///
  /// - Parameters:
  ///   - batch: The rows whose prompts are taken. One in which nothing counts stays without.
  ///   - step: The step they belong to.
  ///   - firstRow: The number of the first row within the step.
  /// - Returns: As many rows, of the prompts and what follows; the predictions of what follows
  ///   count.
  /// - Throws: `ModelError` if the student computes numbers that are not finite.
  func sample(_ batch: TokenBatch, step: Int, firstRow: Int) throws -> TokenBatch {
    let found = (0..<batch.rows).map { batch.prompt(ofRow: $0, count: options.prompt) }
    let used = found.indices.filter { found[$0] != nil }
    let prompts = found.compactMap(\.self)
    let limit = batches.length + 1
    let lengths = prompts.map { min(limit, $0.count + (options.tokens ?? limit)) }
    var random = random(step)
    // After the number that decides whether the step is sampled.
    _ = random.uniform()
    let base = random.next()
    let samplings = used.map { row in
      Sampling(
        temperature: options.temperature,
        topK: options.topK,
        topP: options.topP,
        seed: base &+ UInt64(firstRow + row) &* 0xD1B5_4A32_D192_ED03
      )
    }
    let made = try model.continuations(
      of: prompts,
      lengths: lengths,
      samplings: samplings,
      vocabulary: vocabulary.choices,
      excluding: vocabulary.unknownTokens
    )
    let longest = zip(prompts, made).map { $0.count + $1.count }.max() ?? 2
    var rows = batch
    rows.clear(
      columns: max(1, longest - 1),
      padding: vocabulary.padding(model.configuration.endOfText)
    )
    for (index, row) in used.enumerated() {
      rows.fill(row, prompt: prompts[index], made: made[index])
    }
    return rows
  }

  /// Reports how often the student learned from itself.
  func report(to report: inout StageReport) {
    let steps = Int(report.metrics["steps"] ?? 0)
    let sampled = steps > 0 ? (1...steps).count { isSampled($0) } : 0
    report.metrics["on_policy_steps"] = Double(sampled)
  }
}

extension TokenBatch {
  /// What of a row is to be continued.
  ///
  /// Of a document whose first tokens do not count, as the question of a conversation, all that
  /// come before the first that counts; of others the first `count` tokens. The document is the
  /// first in the row that is a question or has more than `count` tokens, otherwise the longest.
  ///
  /// - Parameters:
  ///   - row: The row's number.
  ///   - count: How many tokens of a text are taken.
  /// - Returns: At least one token; nil if nothing in the row counts.
  func prompt(ofRow row: Int, count: Int) -> [Int32]? {
    let base = row * columns
    var longest: Range<Int>?
    var start = 0
    while start < columns {
      let first = documentStarts[base + start]
      let end = (start..<columns).first { documentStarts[base + $0] != first } ?? columns
      defer { start = end }
      // Padding is a document of its own in which nothing counts.
      guard let counted = (start..<end).first(where: { targets[base + $0] >= 0 }) else { continue }
      if counted > start { return Array(tokens[base + start...base + counted]) }
      if end - start > count { return Array(tokens[base + start..<base + start + count]) }
      if end - start > longest?.count ?? 0 { longest = start..<end }
    }
    // At least one token of the document itself is left to be written anew.
    return longest.map { document in
      let end = max(document.lowerBound + 1, document.upperBound - 1)
      return Array(tokens[base + document.lowerBound..<base + end])
    }
  }

  /// Empties all rows and gives them another length.
  fileprivate mutating func clear(columns: Int, padding: Int32) {
    self.columns = columns
    tokens = Array(repeating: padding, count: rows * columns)
    targets = Array(repeating: -1, count: rows * columns)
    documentStarts = Array(repeating: 0, count: rows * columns)
  }

  /// Fills an empty row with a prompt and what follows, which counts.
  fileprivate mutating func fill(_ row: Int, prompt: [Int32], made: [Int32]) {
    let base = row * columns
    let all = prompt + made
    for column in 0..<min(columns, all.count) { tokens[base + column] = all[column] }
    for (place, token) in made.enumerated() { targets[base + prompt.count - 1 + place] = token }
    guard all.count < columns else { return }
    for column in all.count..<columns { documentStarts[base + column] = Int32(all.count) }
  }
}
