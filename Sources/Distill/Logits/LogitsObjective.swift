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
  /// What makes rows of the student's own; nil for none.
  var samples: StudentSamples?

  /// What a batch's rows see of each other.
  func starts(_ batch: TokenBatch) -> [Int32]? {
    training.batches.separatesDocuments ? batch.documentStarts : nil
  }

  /// The teacher's outputs on a batch.
  func reference(_ batch: TokenBatch) throws -> ReferenceLogits {
    if let cache { return .mostLikely(try cache.tokens(of: batch)) }
    let hidden = teacher.model.trainingHidden(
      try teacher.vocabulary.teacherInputs(batch),
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
  ///
  /// - Parameters:
  ///   - batch: The rows.
  ///   - hidden: The student's states.
  ///   - reference: The teacher's outputs.
  ///   - isSampled: Whether the rows are the student's own, whose tokens are nothing to learn.
  /// - Returns: The mean over what counts, and its parts.
  func loss(
    _ batch: TokenBatch,
    hidden: Tensor,
    _ reference: ReferenceLogits,
    isSampled: Bool = false
  ) -> HeadLoss {
    let vocabulary = teacher.vocabulary
    var headOptions = HeadLossOptions()
    headOptions.precision = student.head.precision
    return hidden.headDivergence(
      head: student.head.headMatrix,
      reference: reference,
      divergence: options.divergence,
      temperature: options.temperature,
      targets: batch.targets,
      crossEntropyShare: isSampled ? 0 : options.crossEntropy,
      commonVocabulary: vocabulary.tokens == nil ? vocabulary.common : nil,
      commonTokens: vocabulary.tokens,
      options: headOptions
    )
  }

  /// Sums that are reported of a batch.
  func measures(_ batch: TokenBatch) throws -> [String: Double] {
    let loss = loss(batch, hidden: hidden(batch), try reference(batch))
    return ["divergence": loss.divergenceSum, "cross_entropy": loss.crossEntropySum]
  }

  /// The loss of a batch.
  func loss(_ batch: TokenBatch, isSampled: Bool = false) throws -> Tensor {
    // The teacher first: what it needs is free again when the student's pass begins.
    let reference = try reference(batch)
    return loss(batch, hidden: hidden(batch), reference, isSampled: isSampled).value
  }

  var objective: TrainingObjective {
    var objective = TrainingObjective { try loss($0) }
    objective.measure = measures
    objective.sampled = samples.map { samples in
      SampledRows(rows: samples.rows) { try loss($0, isSampled: true) }
    }
    return objective
  }
}
