internal import Datasets
internal import Models
internal import Tensor
internal import TrainStages

/// The loss of `distill.logits`.
struct LogitsObjective {
  let student: LanguageModel
  let teacher: TeacherModel
  let options: DivergenceOptions
  let training: TrainOptions
  let cache: CachedTeacher?

  /// What a batch's rows see of each other.
  func starts(_ batch: TokenBatch) -> [Int32]? {
    training.batches.separatesDocuments ? batch.documentStarts : nil
  }

  /// The teacher's outputs on a batch.
  func reference(_ batch: TokenBatch) throws -> ReferenceLogits {
    if let cache { return .mostLikely(try cache.tokens(of: batch)) }
    let hidden = teacher.model.trainingHidden(
      batch.tokens,
      rows: batch.rows,
      documentStarts: starts(batch),
      recomputation: .none
    )
    return .head(hidden: hidden, matrix: teacher.model.head.headMatrix)
  }

  /// The student's normalized hidden states.
  func hidden(_ batch: TokenBatch) -> Tensor {
    student.trainingHidden(
      batch.tokens,
      rows: batch.rows,
      documentStarts: starts(batch),
      recomputation: training.compute.recompute
    )
  }

  /// The loss from the student's hidden states.
  func loss(
    _ batch: TokenBatch,
    hidden: Tensor,
    _ reference: ReferenceLogits
  ) -> HeadLoss {
    var headOptions = HeadLossOptions()
    headOptions.precision = student.head.precision
    return hidden.headDivergence(
      head: student.head.headMatrix,
      reference: reference,
      divergence: options.divergence,
      temperature: options.temperature,
      targets: batch.targets,
      crossEntropyShare: options.crossEntropy,
      commonVocabulary: teacher.vocabulary.common,
      options: headOptions
    )
  }

  /// Sums that are reported of a batch.
  func measures(_ batch: TokenBatch) throws -> [String: Double] {
    let loss = loss(batch, hidden: hidden(batch), try reference(batch))
    return ["divergence": loss.divergenceSum, "cross_entropy": loss.crossEntropySum]
  }

  var objective: TrainingObjective {
    var objective = TrainingObjective { batch in
      // The teacher first: what it needs is free again when the student's pass begins.
      let reference = try reference(batch)
      return loss(batch, hidden: hidden(batch), reference).value
    }
    objective.measure = measures
    return objective
  }
}
