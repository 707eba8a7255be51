internal import Calibrate
internal import Foundation
internal import Models
internal import Pipeline
internal import Tensor

/// What a model predicts for each token of a sequence, summed up.
struct PredictionSums {
  /// `Σ −log Q(next token)`, in nats.
  var loss = 0.0
  /// `Σ D(P ‖ Q)` from another model's predictions, in nats; 0 if there is none.
  var divergence = 0.0
  /// How many tokens were predicted.
  var count = 0

  /// The mean of `−log Q(next token)`, in nats.
  var meanLoss: Double { loss / Double(max(1, count)) }
  /// The mean divergence, in nats.
  var meanDivergence: Double { divergence / Double(max(1, count)) }
  /// Whether both sums are numbers.
  var isFinite: Bool { loss.isFinite && divergence.isFinite }

  /// Adds the sums of other tokens.
  mutating func add(_ other: PredictionSums) {
    loss += other.loss
    divergence += other.divergence
    count += other.count
  }
}

/// Sums up what normalized hidden states predict, several versions of one sequence at a time.
///
/// Logits exist for a slice of the vocabulary only, and the reference's are computed once.
///
/// - Parameters:
///   - versions: Normalized hidden states of the sequence, `[T, D]` each.
///   - head: What they are multiplied by, `[V, D]`.
///   - sequence: The tokens, `[T]`; each but the first is predicted from those before it.
///   - reference: The states that divergences are from, `[T, D]`; nil for none.
/// - Returns: The sums of each version.
func predictions(
  _ versions: [Tensor],
  head: Linear,
  sequence: [Int32],
  reference: Tensor? = nil
) -> [PredictionSums] {
  let targets = sequence.dropFirst() + [-1]
  let sliceLength = 8192
  var statistics = versions.map { _ in VocabularyStatistics(targets: Array(targets)) }
  let matrix = head.weight.matrix
  for start in stride(from: 0, to: head.rows, by: sliceLength) {
    let slice = matrix.rows(start..<min(start + sliceLength, head.rows))
    let expected = reference?.multiplied(by: slice)
    for (index, states) in versions.enumerated() {
      statistics[index].add(states.multiplied(by: slice), at: start, reference: expected)
    }
  }
  let counted = sequence.count - 1
  return statistics.map { statistics in
    PredictionSums(
      loss: statistics.losses().prefix(counted).reduce(0, +),
      divergence: reference == nil ? 0 : statistics.divergences().prefix(counted).reduce(0, +),
      count: counted
    )
  }
}

/// The mean loss of a model over calibration text, in nats a token, one block in memory at a time.
///
/// - Throws: `CalibrateError` if activations cannot be kept, ``PruneError`` if the loss is not finite.
func meanLoss(
  of model: LanguageModel,
  on set: CalibrationSet,
  _ options: CalibrationOptions,
  scratch: URL
) throws -> Double {
  let walk = try BlockWalk(
    model,
    set,
    memoryByteCount: options.memory.byteCount,
    scratch: scratch
  )
  var sums = PredictionSums()
  var sequence = 0
  for block in model.blocks {
    try walk.passBlock { _, after in
      guard block.index == model.blocks.count - 1 else { return }
      let states = model.finalNorm(after)
      for start in stride(from: 0, to: states.shape[0], by: set.length) {
        let part = predictions(
          [states.rows(start..<start + set.length)],
          head: model.head,
          sequence: set.sequences[sequence]
        )[0]
        sums.add(part)
        sequence += 1
      }
    }
    block.release()
  }
  guard sums.isFinite else { throw notFinite("the loss", at: set.name, model) }
  return sums.meanLoss
}
