internal import Datasets
internal import Models
internal import Tensor
internal import TrainStages

/// The loss of `distill.hidden`.
struct HiddenObjective {
  let logits: LogitsObjective
  let options: DistillHiddenOptions
  let pairs: [(student: Int, teacher: Int)]
  /// For each pair the matrix from the student's width to the teacher's, `[D', D]`; none if the
  /// widths are equal.
  let projections: [Parameter]
  /// What of attention is imitated; nil for nothing.
  let relations: RelationObjective?

  /// Finds the pairs of layers, and draws projections from a seed.
  init(_ logits: LogitsObjective, _ options: DistillHiddenOptions, seed: UInt64) {
    self.logits = logits
    self.options = options
    let (student, teacher) = (logits.student.configuration, logits.teacher.model.configuration)
    pairs =
      options.hiddenWeight > 0
      ? options.layers.pairs(student: student.layerCount, teacher: teacher.layerCount) : []
    relations = options.relations.map {
      RelationObjective($0, student: logits.student, teacher: logits.teacher.model)
    }
    guard student.hiddenSize != teacher.hiddenSize else {
      projections = []
      return
    }
    var random = Random(seed: seed)
    let deviation = 1 / Double(student.hiddenSize).squareRoot()
    projections = pairs.map { pair in
      Parameter(
        "projection.\(pair.student)",
        random.normal([teacher.hiddenSize, student.hiddenSize], deviation: deviation)
      )
    }
  }

  /// The states after some layers, what attention compares in one, and the normalized last states.
  private struct States {
    var after: [Int: Tensor] = [:]
    var vectors: AttentionVectors?
    var last: Tensor
  }

  private func states(
    _ model: LanguageModel,
    _ inputs: [Int32],
    _ batch: TokenBatch,
    after layers: [Int],
    relationLayer: Int?,
    _ recomputation: Recomputation
  ) -> States {
    var after: [Int: Tensor] = [:]
    let wanted = Set(layers)
    var before: Tensor?
    let last = model.trainingHidden(
      inputs,
      rows: batch.rows,
      documentStarts: logits.starts(batch),
      recomputation: recomputation
    ) {
      if wanted.contains($0) { after[$0] = $1 }
      if $0 + 1 == relationLayer { before = $1 }
    }
    let vectors = relationLayer.map { layer in
      model.attentionVectors(
        ofBlock: layer,
        from: before ?? model.embedded(inputs, rows: batch.rows)
      )
    }
    return States(after: after, vectors: vectors, last: last)
  }

  private func teacherStates(_ batch: TokenBatch) throws(DistillError) -> States {
    states(
      logits.teacher.model,
      try logits.teacher.vocabulary.teacherInputs(batch),
      batch,
      after: pairs.map(\.teacher),
      relationLayer: relations?.teacherLayer,
      .none
    )
  }

  private func studentStates(_ batch: TokenBatch) -> States {
    states(
      logits.student,
      batch.tokens,
      batch,
      after: pairs.map(\.student),
      relationLayer: relations?.studentLayer,
      logits.training.compute.recompute
    )
  }

  /// The mean distance of each pair's states.
  private func distances(_ student: States, _ teacher: States, _ batch: TokenBatch) -> [Tensor] {
    pairs.indices.map { index in
      let pair = pairs[index]
      guard var own = student.after[pair.student], let other = teacher.after[pair.teacher] else {
        fail("hidden states: no layers \(pair)")
      }
      if !projections.isEmpty { own = own.linear(weight: projections[index].value) }
      return options.stateLoss.mean(own, other, targets: batch.targets)
    }
  }

  /// The mean distance of each kind of relation.
  private func relationLosses(
    _ student: States,
    _ teacher: States,
    _ batch: TokenBatch
  ) -> [(kind: AttentionRelation, loss: Tensor)] {
    guard let relations, let own = student.vectors, let other = teacher.vectors else { return [] }
    return relations.losses(own, other, batch, starts: logits.starts(batch))
  }

  private func logitsLoss(
    _ student: States,
    _ teacher: States,
    _ batch: TokenBatch,
    isSampled: Bool = false
  ) -> HeadLoss {
    let reference = ReferenceLogits.head(
      hidden: teacher.last,
      matrix: logits.teacher.model.head.headMatrix
    )
    return logits.loss(batch, hidden: student.last, reference, isSampled: isSampled)
  }

  /// The loss of a batch.
  func loss(_ batch: TokenBatch, isSampled: Bool = false) throws(DistillError) -> Tensor {
    let (teacher, student) = (try teacherStates(batch), studentStates(batch))
    var parts = distances(student, teacher, batch).map {
      $0.scaled(by: options.hiddenWeight / Double(pairs.count))
    }
    if let relations {
      parts += relationLosses(student, teacher, batch).map {
        $0.loss.scaled(by: relations.options.weight)
      }
    }
    if options.logitsWeight > 0 {
      let loss = logitsLoss(student, teacher, batch, isSampled: isSampled)
      parts.append(loss.value.scaled(by: options.logitsWeight))
    }
    guard let first = parts.first else { fail("hidden states: nothing counts") }
    return parts.dropFirst().reduce(first, +)
  }

  /// Sums that are reported of a batch.
  func measures(_ batch: TokenBatch) throws(DistillError) -> [String: Double] {
    let (teacher, student) = (try teacherStates(batch), studentStates(batch))
    let count = Double(batch.countedTargets)
    let loss = logitsLoss(student, teacher, batch)
    var sums = ["divergence": loss.divergenceSum, "cross_entropy": loss.crossEntropySum]
    for (pair, distance) in zip(pairs, distances(student, teacher, batch)) {
      sums["state_distance_\(pair.student)"] = distance.scalar * count
    }
    for (kind, loss) in relationLosses(student, teacher, batch) {
      sums["\(kind.rawValue)_relations"] = loss.scalar * count
    }
    return sums
  }

  var objective: TrainingObjective {
    var objective = TrainingObjective { try loss($0) }
    objective.measure = measures
    objective.sampled = logits.samples.map { samples in
      SampledRows(rows: samples.rows) { try loss($0, isSampled: true) }
    }
    objective.helpers = projections
    return objective
  }
}
