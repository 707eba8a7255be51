import Tensor
import TestSupport

/// Losses over the logits of a head, several chunks of rows each.
let headLossCases: [OperationCase] =
  plainHeadLossCases + divergenceCases + mostLikelyCases + largerVocabularyCases

private let plainHeadLossCases: [OperationCase] =
  [
    OperationCase(
      "headLoss, squared logits",
      covers: ["headLoss"],
      [.normal([2, 3, 4]), .normal([5, 4])]
    ) {
      $0[0].headLoss(head: .tensor($0[1]), options: smallChunks($0[0], 5)) { logits, _, needed in
        let loss = logits.sumOfSquares()
        if needed { logits = logits.scaled(by: 2) }
        return loss
      }
    },
    OperationCase(
      "headCrossEntropy",
      covers: ["headCrossEntropy"],
      [.normal([7, 6]), .normal([21, 6])]
    ) {
      $0[0].headCrossEntropy(
        head: .tensor($0[1]),
        targets: [3, 20, -1, 0, 7, -1, 11],
        weights: [1, 0.5, 2, 0, 1.5, 1, 1],
        options: smallChunks($0[0], 21)
      ).value
    },
    OperationCase(
      "headCrossEntropy, gradients later",
      covers: [],
      [.normal([7, 6]), .normal([21, 6])]
    ) {
      var options = smallChunks($0[0], 21)
      options.isEager = false
      return $0[0].headCrossEntropy(
        head: .tensor($0[1]),
        targets: [3, 20, -1, 0, 7, -1, 11],
        options: options
      ).value
    },
    OperationCase("headCrossEntropy, stored head", covers: [], [.normal([7, 16])]) {
      var random = Random(seed: 3)
      let head = StoredMatrix(random.normal([40, 16]).converted(to: .bfloat16))
      return $0[0].headCrossEntropy(head: .stored(head), targets: [3, 20, -1, 0, 7, 39, 11]).value
    },
    OperationCase(
      "headCrossEntropy, head used before",
      covers: [],
      [.normal([5, 6]), .normal([6, 6])]
    ) {
      $0[0].linear(weight: $0[1]).headCrossEntropy(head: .tensor($0[1]), targets: [0, 2, 5, 1, 1])
        .value
    },
  ]

private let divergenceCases: [OperationCase] =
  divergences.flatMap { (divergence: Divergence) -> [OperationCase] in
    [(1.0, 0.0), (2.0, 0.4)].map { (temperature: Double, share: Double) -> OperationCase in
      OperationCase(
        "headDivergence, \(divergence), temperature \(temperature), cross-entropy \(share)",
        covers: ["headDivergence"],
        [.normal([7, 6]), .normal([21, 6])],
        singleTolerance: 4e-6
      ) {
        let (teacher, dtype) = (teacherLogits, $0[0].dtype)
        return $0[0].headDivergence(
          head: .tensor($0[1]),
          reference: .rows { teacher.rows($0).converted(to: dtype) },
          divergence: divergence,
          temperature: temperature,
          targets: [3, 20, -1, 0, 7, 2, 11],
          weights: [1, 0.5, 2, 0, 1.5, 1, 1],
          crossEntropyShare: share,
          options: smallChunks($0[0], 21)
        ).value
      }
    }
  }

private let mostLikelyCases: [OperationCase] =
  divergences.flatMap { (divergence: Divergence) -> [OperationCase] in
    [(1.0, 0.0), (2.0, 0.4)].map { (temperature: Double, share: Double) -> OperationCase in
      OperationCase(
        "headDivergence, \(divergence), most likely tokens, temperature \(temperature)",
        covers: [],
        [.normal([7, 6]), .normal([21, 6])],
        singleTolerance: 4e-6
      ) {
        $0[0].headDivergence(
          head: .tensor($0[1]),
          reference: .mostLikely(
            MostLikelyTokens(
              of: teacherLogits,
              count: 5,
              vocabulary: 19,
              temperature: temperature
            )
          ),
          divergence: divergence,
          temperature: temperature,
          targets: [3, 20, -1, 0, 7, 2, 11],
          weights: [1, 0.5, 2, 0, 1.5, 1, 1],
          crossEntropyShare: share,
          commonVocabulary: 19,
          options: smallChunks($0[0], 21)
        ).value
      }
    }
  }

private let largerVocabularyCases: [OperationCase] =
  divergences.map { (divergence: Divergence) -> OperationCase in
    OperationCase(
      "headDivergence, \(divergence), a teacher with a larger vocabulary",
      covers: [],
      [.normal([7, 6]), .normal([20, 6])],
      singleTolerance: 4e-6
    ) {
      let (teacher, dtype) = (teacherLogits, $0[0].dtype)
      return $0[0].headDivergence(
        head: .tensor($0[1]),
        reference: .rows { teacher.rows($0).converted(to: dtype) },
        divergence: divergence,
        targets: [3, 19, -1, 0, 7, 2, 11],
        crossEntropyShare: 0.3,
        commonVocabulary: 18,
        options: smallChunks($0[0], 20)
      ).value
    }
  }

private let divergences = [
  Divergence.forwardKL, .reverseKL, .jensenShannon(beta: 0.2), .skewForward(alpha: 0.1),
  .skewReverse(alpha: 0.1), .totalVariation,
]

private let teacherLogits: Tensor = {
  var random = Random(seed: 21)
  return random.normal([7, 21], deviation: 2)
}()

/// Chunks of two rows.
private func smallChunks(_ hidden: Tensor, _ vocabularySize: Int) -> HeadLossOptions {
  var options = HeadLossOptions()
  options.chunkByteCount = 2 * vocabularySize * hidden.dtype.byteCount
  return options
}
