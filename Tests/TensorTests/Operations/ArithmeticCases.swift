import Tensor
import TestSupport

let arithmeticCases: [OperationCase] = [
  OperationCase("sum of one shape", covers: ["+"], [.normal([3, 4]), .normal([3, 4])]) {
    $0[0] + $0[1]
  },
  OperationCase("sum with a row", covers: ["+"], [.normal([2, 3, 4]), .normal([4])]) {
    $0[0] + $0[1]
  },
  OperationCase("sum of a tensor with itself", covers: ["+"], [.normal([3, 4])]) {
    $0[0] + $0[0]
  },
  OperationCase("difference", covers: ["-"], [.normal([4]), .normal([3, 1])]) { $0[0] - $0[1] },
  OperationCase("product of one shape", covers: ["*"], [.normal([3, 4]), .normal([3, 4])]) {
    $0[0] * $0[1]
  },
  OperationCase("product across", covers: ["*"], [.normal([2, 1, 3, 1]), .normal([5, 1, 2])]) {
    $0[0] * $0[1]
  },
  OperationCase("product with a scalar", covers: ["*"], [.normal([]), .normal([7, 30])]) {
    $0[0] * $0[1]
  },
  OperationCase("quotient", covers: ["/"], [.normal([3, 4]), .apart([3, 4])]) { $0[0] / $0[1] },
  OperationCase("quotient by a column", covers: ["/"], [.normal([3, 4]), .apart([3, 1])]) {
    $0[0] / $0[1]
  },
  OperationCase("maximum", covers: ["maximum"], [.apart([4, 5]), .uniform([5], in: -0.2..<0.2)]) {
    $0[0].maximum($0[1])
  },
  OperationCase("minimum", covers: ["minimum"], [.uniform([4, 1], in: -0.2..<0.2), .apart([5])]) {
    $0[0].minimum($0[1])
  },
]
