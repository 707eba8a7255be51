import Tensor
import TestSupport

let probabilityCases: [OperationCase] = [
  OperationCase("softmax", covers: ["softmax"], [.normal([3, 7], deviation: 3)]) {
    $0[0].softmax()
  },
  OperationCase("softmax of long rows", covers: ["softmax"], [.normal([5, 300], deviation: 3)]) {
    $0[0].softmax()
  },
  OperationCase("logSoftmax", covers: ["logSoftmax"], [.normal([3, 7], deviation: 3)]) {
    $0[0].logSoftmax()
  },
  OperationCase("logSumExp", covers: ["logSumExp"], [.normal([2, 2, 9], deviation: 3)]) {
    $0[0].logSumExp()
  },
]
