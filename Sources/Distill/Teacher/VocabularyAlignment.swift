internal import Crypto
internal import Datasets
internal import Foundation
internal import Models
internal import Tensor
internal import Tokenizers

/// How the vocabularies of a student and a teacher belong together.
///
/// Texts are cut into the same tokens by both, whose ids may differ: a vocabulary may be trimmed,
/// have its special tokens elsewhere or padding in between. Tokens are then paired by what they are
/// written as. Where the ids are equal, the first tokens count, which both have: models are padded
/// to different sizes, or one has tokens added at its end.
struct VocabularyAlignment: Equatable {
  /// How many tokens both models have.
  let common: Int
  /// The number of the student's logits.
  let student: Int
  /// The number of the teacher's logits.
  let teacher: Int
  /// The tokens that both have; nil if these are the first ids of both.
  let tokens: CommonTokens?
  /// For each of the student's ids the teacher's, −1 for none; empty if ids are equal.
  private let teacherIDs: [Int32]

  /// The part of the larger vocabulary that both have.
  var coverage: Double { Double(common) / Double(max(student, teacher)) }

  /// Takes sizes that are known, of vocabularies with equal ids.
  init(common: Int, student: Int, teacher: Int) {
    (self.common, self.student, self.teacher) = (common, student, teacher)
    (tokens, teacherIDs) = (nil, [])
  }

  /// Takes the tokens that both have.
  init(tokens: CommonTokens, student: Int, teacher: Int) {
    (common, self.student, self.teacher) = (tokens.count, student, teacher)
    let isPrefix = [tokens.student, tokens.reference].allSatisfy { ids in
      ids.indices.allSatisfy { ids[$0] == $0 }
    }
    self.tokens = isPrefix ? nil : tokens
    var ids = isPrefix ? [] : Array(repeating: Int32(-1), count: student)
    if !isPrefix {
      for (own, other) in zip(tokens.student, tokens.reference) { ids[Int(own)] = other }
    }
    teacherIDs = ids
  }

  /// Compares the tokenizers of two models.
  ///
  /// - Throws: ``DistillError`` with the first difference if they differ, or what reading a
  ///   tokenizer throws.
  init(student: LanguageModel, teacher: LanguageModel) throws {
    try self.init(
      student: (student.tokenizer(), student.configuration.vocabularySize),
      teacher: (teacher.tokenizer(), teacher.configuration.vocabularySize),
      name: teacher.companions.name
    )
  }

  /// Compares two tokenizers.
  ///
  /// - Parameters:
  ///   - student: The student's and the number of its logits.
  ///   - teacher: The teacher's and the number of its logits.
  ///   - name: What the teacher is called in errors.
  /// - Throws: ``DistillError`` with the first difference if they differ, or what encoding throws.
  init(
    student: (tokenizer: Tokenizer, logits: Int),
    teacher: (tokenizer: Tokenizer, logits: Int),
    name: String
  ) throws {
    let (own, other) = (student.tokenizer, teacher.tokenizer)
    let (ownSize, otherSize) = (own.vocabularySize, other.vocabularySize)
    let shorter = Int32(min(ownSize, otherSize))
    if (0..<shorter).allSatisfy({ own.token($0) == other.token($0) }) {
      let models = min(student.logits, teacher.logits)
      self.init(
        common: ownSize == otherSize ? models : min(models, ownSize, otherSize),
        student: student.logits,
        teacher: teacher.logits
      )
    } else {
      self.init(
        tokens: try Self.pairs(student, teacher, name),
        student: student.logits,
        teacher: teacher.logits
      )
    }
    // Equal tokens may still be put together in another way.
    let probe = String(try TextSource.builtinCalibration.read().prefix(20_000))
    try requireSameTokens(probe, own, other, name)
  }

  /// Pairs tokens by what they are written as; of several that are written alike the first with
  /// the first, and so on.
  private static func pairs(
    _ student: (tokenizer: Tokenizer, logits: Int),
    _ teacher: (tokenizer: Tokenizer, logits: Int),
    _ name: String
  ) throws(DistillError) -> CommonTokens {
    func tokens(_ of: (tokenizer: Tokenizer, logits: Int)) -> [(id: Int32, text: String)] {
      (0..<Int32(min(of.tokenizer.vocabularySize, of.logits))).compactMap { id in
        of.tokenizer.token(id).map { (id, $0) }
      }
    }
    let (own, others) = (tokens(student), tokens(teacher))
    let waiting = Dictionary(grouping: others, by: \.text)
    var used: [String: Int] = [:]
    var pairs: [(own: Int32, other: Int32)] = []
    var missing: (id: Int32, text: String)?
    for token in own {
      let place = used[token.text, default: 0]
      if let found = waiting[token.text], place < found.count {
        pairs.append((token.id, found[place].id))
        used[token.text] = place + 1
      } else if missing == nil {
        missing = token
      }
    }
    // With fewer in common most of what the teacher says would be left out of the comparison, and
    // tokens that happen to be written alike are no sign of a common origin.
    guard 2 * pairs.count >= max(1, min(own.count, others.count)) else {
      let example = missing.map { "; the first that it lacks is \($0.id), “\($0.text)”" } ?? ""
      throw differs(
        "of \(own.count) tokens it has \(pairs.count) among its \(others.count)\(example)",
        name
      )
    }
    return CommonTokens(student: pairs.map(\.own), reference: pairs.map(\.other))
  }

  private static func differs(_ problem: String, _ teacher: String) -> DistillError {
    DistillError(
      .unusableTeacher,
      "the teacher's tokenizer differs from the student's: \(problem)",
      at: teacher,
      remedy: "choose a teacher with the same tokenizer"
    )
  }

  // Stops if a text is not cut into the same tokens. `margin` tokens at either end do not count, as
  // a row of a data set begins and ends amid words.
  func requireSameTokens(
    _ text: String,
    _ own: Tokenizer,
    _ other: Tokenizer,
    _ name: String,
    margin: Int = 0
  ) throws {
    let (ids, others) = (try own.encode(text), try other.encode(text))
    let expected = tokens == nil ? ids : ids.map { teacher(id: $0) }
    guard expected != others else { return }
    let place = zip(expected, others).prefix { $0 == $1 }.count
    let isAmidWords = place < margin || place >= expected.count - margin
    guard margin == 0 || !isAmidWords else { return }
    func quote(_ ids: [Int32], _ tokenizer: Tokenizer) -> String {
      let next = ids.dropFirst(place).prefix(3).map { "“\(tokenizer.token($0) ?? "nothing")”" }
      return next.isEmpty ? "nothing" : next.joined(separator: " ")
    }
    throw Self.differs(
      "the same text gives other tokens, from token \(place) on: \(quote(others, other)), and "
        + "\(quote(ids, own)) in the student's",
      name
    )
  }

  // MARK: - Ids

  /// For each of the student's ids whether the teacher has the token.
  var known: [Bool] {
    tokens == nil ? Array(repeating: true, count: common) : teacherIDs.map { $0 >= 0 }
  }

  /// The teacher's id of one of the student's tokens; −1 if it has none.
  private func teacher(id: Int32) -> Int32 {
    guard tokens != nil else { return id < common ? id : -1 }
    return Int(id) < teacherIDs.count ? teacherIDs[Int(id)] : -1
  }

  /// The student's tokens that the teacher has not, if ids differ.
  var unknownTokens: [Int32] {
    guard tokens != nil else { return [] }
    return teacherIDs.indices.filter { teacherIDs[$0] < 0 }.map { Int32($0) }
  }

  /// How many first tokens a student may choose from, unless they are among ``unknownTokens``.
  var choices: Int { tokens == nil ? common : student }

  /// The first of some tokens of the student's that the teacher has too, otherwise any.
  func padding(_ candidates: [Int32]) -> Int32 {
    candidates.first { teacher(id: $0) >= 0 } ?? tokens?.student[0] ?? 0
  }

  /// The inputs of the teacher for rows of the student's.
  ///
  /// - Throws: ``DistillError`` if it lacks a token before the last one that counts in a row.
  func teacherInputs(_ batch: TokenBatch) throws(DistillError) -> [Int32] {
    guard let tokens else { return batch.tokens }
    var inputs = batch.tokens
    for row in 0..<batch.rows {
      let range = row * batch.columns..<(row + 1) * batch.columns
      let last = batch.targets[range].lastIndex { $0 >= 0 } ?? -1
      for place in range {
        let id = teacher(id: batch.tokens[place])
        guard id >= 0 || place > last else {
          throw DistillError(
            .unusableTeacher,
            "token \(batch.tokens[place]) of the student's is not one of the teacher's",
            at: "row \(row), column \(place - range.lowerBound)",
            remedy: "leave texts with such tokens out, or choose another teacher"
          )
        }
        // What nothing that counts can see is padding, for which any token will do.
        inputs[place] = id >= 0 ? id : tokens.reference[0]
      }
    }
    return inputs
  }

  /// What tells pairs of ids from others; nil if ids are equal.
  var digest: String? {
    guard let tokens else { return nil }
    var hash = SHA256()
    for id in [tokens.student, tokens.reference].joined() {
      withUnsafeBytes(of: id.littleEndian) { hash.update(bufferPointer: $0) }
    }
    return hash.finalize().prefix(16).map { String(format: "%02x", $0) }.joined()
  }
}
