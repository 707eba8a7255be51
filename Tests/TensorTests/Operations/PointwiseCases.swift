import Tensor
import TestSupport

let pointwiseCases: [OperationCase] =
  PointwiseFunction.allCases.map { function in
    let isPositive = function == .logarithm || function == .squareRoot
    return OperationCase(
      "\(function)",
      covers: ["mapped"],
      [isPositive ? .uniform([3, 7], in: 0.5..<2) : .apart([3, 7])]
    ) { $0[0].mapped(function) }
  } + [
    OperationCase("silu", covers: ["silu"], [.normal([40], deviation: 3)]) { $0[0].silu() },
    OperationCase("gelu", covers: ["gelu"], [.normal([40], deviation: 2)]) {
      $0[0].gelu() + $0[0].gelu(approximated: true)
    },
    OperationCase("softCapped", covers: ["softCapped"], [.normal([4, 5], deviation: 4)]) {
      $0[0].softCapped(5)
    },
    OperationCase("scaled", covers: ["scaled"], [.normal([4, 5])]) {
      $0[0].scaled(by: -1.5, shift: 2)
    },
    OperationCase("swiGLU", covers: ["swiGLU"], [.normal([3, 9]), .normal([3, 9])]) {
      $0[0].swiGLU(up: $0[1])
    },
    OperationCase("geGLU", covers: ["geGLU"], [.normal([3, 9]), .normal([3, 9])]) {
      $0[0].geGLU(up: $0[1])
    },
    OperationCase("geGLU by tanh", covers: ["geGLU"], [.normal([3, 9]), .normal([3, 9])]) {
      $0[0].geGLU(up: $0[1], approximated: true)
    },
    OperationCase("reGLU", covers: ["reGLU"], [.apart([3, 9]), .normal([3, 9])]) {
      $0[0].reGLU(up: $0[1])
    },
    OperationCase("swiGLU of itself", covers: ["swiGLU"], [.normal([20])]) {
      $0[0].swiGLU(up: $0[0])
    },
    OperationCase("dropout", covers: ["dropout"], [.normal([5, 40])]) {
      $0[0].dropout(rate: 0.3, seed: 5)
    },
  ]
