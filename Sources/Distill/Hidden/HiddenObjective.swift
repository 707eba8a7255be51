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

  /// Finds the pairs of layers, and draws projections from a seed.
  init(_ logits: LogitsObjective, _ options: DistillHiddenOptions, seed: UInt64) {
    self.logits = logits
    self.options = options
    let (student, teacher) = (logits.student.configuration, logits.teacher.model.configuration)
    pairs = options.layers.pairs(student: student.layerCount, teacher: teacher.layerCount)
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

  /// The states after some layers, and the normalized last ones.
  private struct States {
    var after: [Int: Tensor] = [:]
    var last: Tensor
  }

  private func teacherStates(_ batch: TokenBatch) -> States {
    var after: [Int: Tensor] = [:]
    let wanted = Set(pairs.map(\.teacher))
    let last = logits.teacher.model.trainingHidden(
      batch.tokens,
      rows: batch.rows,
      documentStarts: logits.starts(batch),
      recomputation: .none
    ) { if wanted.contains($0) { after[$0] = $1 } }
    return States(after: after, last: last)
  }

  private func studentStates(_ batch: TokenBatch) -> States {
    var after: [Int: Tensor] = [:]
    let wanted = Set(pairs.map(\.student))
    let last = logits.student.trainingHidden(
      batch.tokens,
      rows: batch.rows,
      documentStarts: logits.starts(batch),
      recomputation: logits.training.compute.recompute
    ) { if wanted.contains($0) { after[$0] = $1 } }
    return States(after: after, last: last)
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

  private func logitsLoss(_ student: States, _ teacher: States, _ batch: TokenBatch) -> HeadLoss {
    let head = logits.teacher.model.head.headMatrix
    return logits.loss(batch, hidden: student.last, .head(hidden: teacher.last, matrix: head))
  }

  /// The loss of a batch.
  func loss(_ batch: TokenBatch) -> Tensor {
    let (teacher, student) = (teacherStates(batch), studentStates(batch))
    let distances = distances(student, teacher, batch)
    var sum = distances.dropFirst().reduce(distances[0], +)
      .scaled(by: options.hiddenWeight / Double(pairs.count))
    if options.logitsWeight > 0 {
      sum = sum + logitsLoss(student, teacher, batch).value.scaled(by: options.logitsWeight)
    }
    return sum
  }

  /// Sums that are reported of a batch.
  func measures(_ batch: TokenBatch) -> [String: Double] {
    let (teacher, student) = (teacherStates(batch), studentStates(batch))
    let count = Double(batch.countedTargets)
    let loss = logitsLoss(student, teacher, batch)
    var sums = ["divergence": loss.divergenceSum, "cross_entropy": loss.crossEntropySum]
    for (pair, distance) in zip(pairs, distances(student, teacher, batch)) {
      sums["state_distance_\(pair.student)"] = distance.scalar * count
    }
    return sums
  }

  var objective: TrainingObjective {
    var objective = TrainingObjective(loss: loss)
    objective.measure = measures
    objective.helpers = projections
    return objective
  }
}
