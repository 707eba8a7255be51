internal import Datasets
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor
internal import Tokenizers
internal import TrainStages

extension TeacherModel {
  /// Stops if the data has tokens that the teacher does not know, or if it would have cut the first
  /// rows into others.
  func require(
    _ data: TrainingData,
    of student: LanguageModel,
    _ settings: BatchSettings
  ) throws {
    guard vocabulary.tokens != nil else {
      guard Int(data.largestToken) >= vocabulary.common else { return }
      throw DistillError(
        .unusableTeacher,
        "the data has token \(data.largestToken), and the teacher knows \(vocabulary.common)",
        at: model.companions.name,
        remedy: Self.withoutTokens
      )
    }
    let tokenizer = try student.tokenizer()
    if let (token, name) = data.firstToken(outside: vocabulary.known) {
      let text = tokenizer.token(token) ?? "nothing"
      throw DistillError(
        .unusableTeacher,
        "\(name) has token \(token), “\(text)”, which the teacher lacks",
        at: model.companions.name,
        remedy: Self.withoutTokens
      )
    }
    let other = try model.tokenizer()
    for tokens in try data.batch(step: 1, part: 0, settings).usedTokens {
      try vocabulary.requireSameTokens(
        tokenizer.decode(tokens),
        tokenizer,
        other,
        model.companions.name,
        margin: 4
      )
    }
  }

  private static let withoutTokens =
    "leave texts with such tokens out, or choose another teacher"

  /// The teacher's mean probability, after each position that counts in a row, of the tokens that
  /// the student lacks.
  ///
  /// - Parameters:
  ///   - data: What is learned from; its first row is taken.
  ///   - settings: How rows are made.
  /// - Returns: A number in `0...1`; nil if the student has all of the teacher's tokens, or nothing
  ///   counts in the row.
  /// - Throws: ``DistillError`` if the teacher lacks a token of the row.
  /// - Complexity: One pass of the teacher over a row.
  func probabilityOutside(_ data: TrainingData, _ settings: BatchSettings) throws -> Double? {
    guard vocabulary.teacher > vocabulary.common else { return nil }
    let batch = try data.batch(step: 1, part: 0, settings)
    let columns = 0..<batch.columns
    let counted = columns.filter { batch.targets[$0] >= 0 }
    guard !counted.isEmpty else { return nil }
    let hidden = model.trainingHidden(
      Array(try vocabulary.teacherInputs(batch)[columns]),
      rows: 1,
      documentStarts: settings.separatesDocuments ? Array(batch.documentStarts[columns]) : nil,
      recomputation: .none
    )
    let length = max(1, (64 << 20) / (4 * vocabulary.teacher))
    var sum = 0.0
    for first in stride(from: 0, to: counted.count, by: length) {
      let places = counted[first..<min(counted.count, first + length)].map { Int32($0) }
      let logits = model.head.headMatrix.logits(of: hidden.gathered(rows: places))
      let all = logProbabilitySums(logits)
      let own = vocabulary.tokens?.reference(logits) ?? logits.columns(0..<vocabulary.common)
      for (all, own) in zip(all, logProbabilitySums(own)) { sum += 1 - exp(own - all) }
    }
    return max(0, sum / Double(counted.count))
  }

  /// The logarithm of the sum of the exponentials of each row.
  private func logProbabilitySums(_ logits: Tensor) -> [Double] {
    var statistics = VocabularyStatistics(targets: Array(repeating: -1, count: logits.shape.rows))
    statistics.add(logits, at: 0)
    return statistics.logSums()
  }

  /// Reports how much of the vocabularies is compared.
  func report(to report: inout StageReport, probabilityOutside: Double?) {
    report.metrics["vocabulary_coverage"] = vocabulary.coverage
    report.metrics["teacher_probability_outside"] = probabilityOutside
    if vocabulary.tokens != nil {
      report.warnings.append(vocabulary.note)
    } else if vocabulary.student != vocabulary.teacher {
      report.warnings.append(
        "the student has \(vocabulary.student) logits and the teacher \(vocabulary.teacher): the "
          + "first \(vocabulary.common), which both have, are compared"
      )
    }
  }
}

extension VocabularyAlignment {
  /// What a plan and a report say of vocabularies with other ids.
  var note: String {
    "the student has \(student) logits and the teacher \(teacher): \(common) tokens, which both "
      + "have under other ids, are paired by their text and compared"
  }
}

extension TokenBatch {
  /// The tokens of each row up to the last from which something is to be predicted.
  fileprivate var usedTokens: [[Int32]] {
    (0..<rows).compactMap { row in
      let range = row * columns..<(row + 1) * columns
      guard let last = targets[range].lastIndex(where: { $0 >= 0 }) else { return nil }
      return Array(tokens[range.lowerBound...last])
    }
  }
}
