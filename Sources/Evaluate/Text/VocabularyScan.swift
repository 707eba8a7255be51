internal import Foundation
internal import Models
internal import Tensor

/// What a model predicts for one token, compared with a reference.
struct TokenComparison: Sendable, Hashable {
  /// `−log Q(target)`, in nats.
  var loss: Double
  /// `−log P(target)`, in nats.
  var referenceLoss: Double
  /// `D(P ‖ Q)`, in nats.
  var divergence: Double
  /// Whether both find the same token most probable.
  var agrees: Bool
}

/// Multiplies hidden states by the head in slices of the vocabulary, so that logits `[M, V]` never
/// exist as a whole.
enum VocabularyScan {
  /// The tokens of a slice: with 511 positions 16 MB of logits, few enough to be recycled.
  static let sliceLength = 8192

  /// Returns the negative log-likelihood of each row's target.
  ///
  /// - Parameters:
  ///   - states: Normalized hidden states, `[M, D]`.
  ///   - head: What they are multiplied by, `[V, D]`.
  ///   - targets: The token that follows each row, `[M]`, in `0..<V`.
  /// - Returns: `[M]`, in nats.
  static func losses(_ states: Tensor, _ head: Linear, targets: [Int32]) -> [Double] {
    var statistics = VocabularyStatistics(targets: targets)
    let matrix = head.weight.matrix
    for slice in slices(head) {
      statistics.add(states.multiplied(by: matrix.rows(slice)), at: slice.lowerBound)
    }
    return statistics.losses()
  }

  /// Each row's prediction compared with a reference's, whose states and head may have another
  /// width but must have as many tokens.
  static func comparisons(
    _ states: Tensor,
    _ head: Linear,
    reference: Tensor,
    _ referenceHead: Linear,
    targets: [Int32]
  ) -> [TokenComparison] {
    var statistics = VocabularyStatistics(targets: targets)
    let (matrix, referenceMatrix) = (head.weight.matrix, referenceHead.weight.matrix)
    for slice in slices(head) {
      statistics.add(
        states.multiplied(by: matrix.rows(slice)),
        at: slice.lowerBound,
        reference: reference.multiplied(by: referenceMatrix.rows(slice))
      )
    }
    let (losses, referenceLosses) = (statistics.losses(), statistics.referenceLosses())
    let divergences = statistics.divergences()
    let agrees = zip(statistics.choices(), statistics.referenceChoices()).map { $0 == $1 }
    return targets.indices.map {
      TokenComparison(
        loss: losses[$0],
        referenceLoss: referenceLosses[$0],
        divergence: divergences[$0],
        agrees: agrees[$0]
      )
    }
  }

  /// Each row's prediction compared with the most likely tokens of a reference, the others being one
  /// outcome; what the reference finds of the target is not known.
  ///
  /// - Parameters:
  ///   - states: Normalized hidden states, `[M, D]`.
  ///   - head: What they are multiplied by, `[V, D]`.
  ///   - kept: `M` rows of tokens below `V`.
  ///   - targets: The token that follows each row, `[M]`.
  /// - Returns: For each row the loss and the divergence, in nats, and whether both find the same
  ///   token most probable.
  static func comparisons(
    _ states: Tensor,
    _ head: Linear,
    kept: MostLikelyTokens,
    targets: [Int32]
  ) -> [(loss: Double, divergence: Double, agrees: Bool)] {
    let count = kept.count
    var all = VocabularyStatistics(targets: targets)
    var others = VocabularyStatistics(targets: Array(repeating: -1, count: targets.count))
    var found = Array(repeating: Float.nan, count: kept.tokens.count)
    let matrix = head.weight.matrix
    for slice in slices(head) {
      var logits = states.multiplied(by: matrix.rows(slice))
      all.add(logits, at: slice.lowerBound)
      logits.withMutableElements(as: Float.self) { logits in
        for (place, token) in kept.tokens.enumerated() where slice.contains(Int(token)) {
          let index = place / count * slice.count + Int(token) - slice.lowerBound
          found[place] = logits[index]
          // So small that it is nothing beside the others, which are summed apart: the probability
          // left over by the kept ones would drown in their rounding.
          logits[index] = -1e30
        }
      }
      others.add(logits, at: slice.lowerBound)
    }
    let (losses, choices) = (all.losses(), all.choices())
    let (sums, otherSums) = (all.logSums(), others.logSums())
    return targets.indices.map { row in
      var divergence = 0.0
      for place in row * count..<(row + 1) * count where kept.probabilities[place] > 0 {
        let p = Double(kept.probabilities[place])
        divergence += p * (log(p) - Double(found[place]) + sums[row])
      }
      let rest = Double(kept.rest[row])
      if rest > 0 && count < head.rows {
        divergence += rest * (log(rest) - otherSums[row] + sums[row])
      }
      return (losses[row], divergence, choices[row] == kept.tokens[row * count])
    }
  }

  private static func slices(_ head: Linear) -> some Sequence<Range<Int>> {
    stride(from: 0, to: head.rows, by: sliceLength).lazy.map { start in
      start..<min(start + sliceLength, head.rows)
    }
  }
}
