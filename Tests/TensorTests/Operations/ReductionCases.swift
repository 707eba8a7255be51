import Tensor
import TestSupport

let reductionCases: [OperationCase] = [
  OperationCase("summed", covers: ["summed"], [.normal([3, 5])]) { $0[0].summed() },
  OperationCase("averaged", covers: ["averaged"], [.normal([3, 50])]) { $0[0].averaged() },
  OperationCase("summed over the first axis", covers: ["summed"], [.normal([70, 150])]) {
    $0[0].summed(axis: 0)
  },
  OperationCase("summed over a middle axis", covers: ["summed"], [.normal([2, 4, 3])]) {
    $0[0].summed(axis: 1)
  },
  OperationCase("averaged over the last axis", covers: ["averaged"], [.normal([2, 4, 3])]) {
    $0[0].averaged(axis: -1)
  },
  OperationCase("rowSums", covers: ["rowSums"], [.normal([2, 3, 21])]) { $0[0].rowSums() },
  OperationCase("rowMeans", covers: ["rowMeans"], [.normal([2, 3, 5])]) { $0[0].rowMeans() },
  OperationCase("columnSums", covers: ["columnSums"], [.normal([5, 7])]) { $0[0].columnSums() },
  OperationCase("columnSums of squares", covers: ["columnSums"], [.normal([5, 7])]) {
    $0[0].columnSums(squared: true)
  },
]
