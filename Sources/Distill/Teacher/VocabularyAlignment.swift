internal import Datasets
internal import Models
internal import Tokenizers

/// How the vocabularies of a student and a teacher belong together.
///
/// Both read the same tokens, so that their tokenizers must give every text the same ids. The
/// number of logits may differ all the same, as models are padded to different sizes, or one has
/// tokens added at its end; then the first tokens count, which both have.
struct VocabularyAlignment: Equatable {
  /// How many first tokens both models have.
  let common: Int
  /// The number of the student's logits.
  let student: Int
  /// The number of the teacher's logits.
  let teacher: Int

  /// The part of the larger vocabulary that both have.
  var coverage: Double { Double(common) / Double(max(student, teacher)) }

  /// Takes sizes that are known.
  init(common: Int, student: Int, teacher: Int) {
    (self.common, self.student, self.teacher) = (common, student, teacher)
  }

  /// Compares the tokenizers of two models.
  ///
  /// - Throws: ``DistillError`` with the first difference if they differ, or what reading a
  ///   tokenizer throws.
  init(student: LanguageModel, teacher: LanguageModel) throws {
    self.student = student.configuration.vocabularySize
    self.teacher = teacher.configuration.vocabularySize
    let (own, other) = (try student.tokenizer(), try teacher.tokenizer())
    let (ownSize, otherSize) = (own.vocabularySize, other.vocabularySize)
    let models = min(self.student, self.teacher)
    common = ownSize == otherSize ? models : min(models, ownSize, otherSize)
    let name = teacher.companions.name
    for id in 0..<Int32(min(ownSize, otherSize)) where own.token(id) != other.token(id) {
      let (a, b) = (own.token(id) ?? "nothing", other.token(id) ?? "nothing")
      throw Self.differs("token \(id) is “\(b)”, and “\(a)” in the student's", name)
    }
    // Equal tokens may still be put together in another way.
    let probe = String(try TextSource.builtinCalibration.read().prefix(20_000))
    let (ids, others) = (try own.encode(probe), try other.encode(probe))
    guard ids == others else {
      let place = zip(ids, others).prefix { $0 == $1 }.count
      throw Self.differs("the same text gives other tokens, from token \(place) on", name)
    }
  }

  private static func differs(_ problem: String, _ teacher: String) -> DistillError {
    DistillError(
      .unusableTeacher,
      "the teacher's tokenizer differs from the student's: \(problem)",
      at: teacher,
      remedy: "choose a teacher with the same tokenizer"
    )
  }
}
