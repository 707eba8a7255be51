import Tensor
import TestSupport

let lossCases: [OperationCase] = [
  OperationCase("crossEntropy", covers: ["crossEntropy"], [.normal([4, 9], deviation: 3)]) {
    $0[0].crossEntropy(targets: [3, -1, 0, 8])
  },
  OperationCase(
    "crossEntropy, weighted and smoothed",
    covers: ["crossEntropy"],
    [.normal([2, 2, 300], deviation: 3)]
  ) {
    $0[0].crossEntropy(targets: [299, 5, -1, 7], weights: [1, 0.5, 3, 0], smoothing: 0.1)
  },
  OperationCase("klDivergence", covers: ["klDivergence"], [.normal([3, 20], deviation: 2)]) { x in
    x[0].klDivergence(from: fixed([3, 20], x[0].dtype), temperature: 2)
  },
  OperationCase(
    "klDivergence, weighted",
    covers: ["klDivergence"],
    [.normal([3, 300], deviation: 2)]
  ) { x in
    x[0].klDivergence(from: fixed([3, 300], x[0].dtype), weights: [2, 0, 1])
  },
  OperationCase(
    "meanSquaredError",
    covers: ["meanSquaredError"],
    [.normal([3, 5]), .normal([3, 5])]
  ) { $0[0].meanSquaredError($0[1]) },
  OperationCase(
    "cosineSimilarity",
    covers: ["cosineSimilarity"],
    [.normal([3, 10]), .normal([3, 10])]
  ) { $0[0].cosineSimilarity($0[1]) },
]

private func fixed(_ shape: Shape, _ dtype: DType) -> Tensor {
  var random = Random(seed: 3)
  return random.normal(shape, deviation: 2).converted(to: dtype)
}
