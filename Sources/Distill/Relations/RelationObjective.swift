internal import Datasets
internal import Models
internal import Tensor

/// The part of the loss of `distill.hidden` that is about relations in attention.
struct RelationObjective {
  let options: RelationOptions
  let studentLayer: Int
  let teacherLayer: Int
  let heads: Int

  init(_ options: RelationOptions, student: LanguageModel, teacher: LanguageModel) {
    self.options = options
    let (own, other) = (student.configuration, teacher.configuration)
    studentLayer = options.studentLayer ?? own.layerCount - 1
    teacherLayer = options.teacherLayer ?? other.layerCount - 1
    heads = options.headCount(student: own, teacher: other)
  }

  /// The mean divergence of each kind of relation.
  func losses(
    _ student: AttentionVectors,
    _ teacher: AttentionVectors,
    _ batch: TokenBatch,
    starts: [Int32]?
  ) -> [(kind: AttentionRelation, loss: Tensor)] {
    let divergence = RelationDivergence(
      heads: heads,
      targets: batch.targets,
      rows: batch.rows,
      documentStarts: starts
    )
    return options.of.map { kind in
      (kind, divergence.mean(kind.vectors(student), from: kind.vectors(teacher)))
    }
  }
}
