import Tensor
import TestSupport

let normalizationCases: [OperationCase] = [
  OperationCase("rmsNorm", covers: ["rmsNorm"], [.normal([2, 2, 11]), .normal([11])]) {
    $0[0].rmsNorm(weight: $0[1], epsilon: 1e-5)
  },
  OperationCase(
    "rmsNorm with offset, many rows",
    covers: ["rmsNorm"],
    [.normal([70, 200]), .normal([200])]
  ) { $0[0].rmsNorm(weight: $0[1], epsilon: 1e-5, offset: 1) },
  OperationCase("rmsNorm without weight", covers: ["rmsNorm"], [.normal([3, 16])]) {
    $0[0].rmsNorm(weight: nil, epsilon: 0.1)
  },
  OperationCase("rmsNorm added to its input", covers: ["rmsNorm"], [.normal([3, 5])]) {
    $0[0] + $0[0].rmsNorm(weight: nil, epsilon: 0.1)
  },
  OperationCase(
    "layerNorm",
    covers: ["layerNorm"],
    [.normal([3, 9], mean: 1), .normal([9]), .normal([9])]
  ) { $0[0].layerNorm(weight: $0[1], bias: $0[2], epsilon: 1e-5) },
  OperationCase(
    "layerNorm without bias, many rows",
    covers: ["layerNorm"],
    [.normal([70, 200], mean: 1), .normal([200])],
    singleTolerance: 4e-6
  ) { $0[0].layerNorm(weight: $0[1], bias: nil, epsilon: 1e-5) },
]
