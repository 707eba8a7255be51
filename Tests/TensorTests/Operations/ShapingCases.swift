import Tensor
import TestSupport

let shapingCases: [OperationCase] = [
  OperationCase("reshaped", covers: ["reshaped"], [.normal([3, 4])]) { $0[0].reshaped([2, 6]) },
  OperationCase("rows", covers: ["rows"], [.normal([5, 4])]) { x in
    x[0].rows(1..<3) * x[0].rows(2..<4)
  },
  OperationCase("columns", covers: ["columns"], [.normal([2, 3, 6])]) { x in
    x[0].columns(0..<3) * x[0].columns(2..<5)
  },
  OperationCase("transposed", covers: ["transposed"], [.normal([17, 35])]) {
    $0[0].transposed()
  },
  OperationCase("concatenated", covers: ["concatenated"], [.normal([2, 3]), .normal([1, 3])]) {
    .concatenated([$0[0], $0[1], $0[0]])
  },
  OperationCase("gathered", covers: ["gathered"], [.normal([6, 5])]) {
    $0[0].gathered(rows: [4, 0, 4, 2, 4])
  },
  OperationCase("gathered blocks", covers: ["gathered"], [.normal([7, 2, 90])]) {
    $0[0].gathered(rows: [6, 1, 6])
  },
  OperationCase("converted", covers: ["converted"], [.normal([3, 4])]) { x in
    x[0].converted(to: x[0].dtype == .float32 ? .float64 : .float32).converted(to: x[0].dtype)
      * x[0]
  },
  OperationCase("copied", covers: ["copied"], [.normal([3, 4])]) { $0[0].copied() * $0[0] },
  OperationCase("rotary", covers: ["rotary"], [.normal([2, 3, 2, 10])]) { x in
    let angles = Tensor((0..<20).map { Double($0) * 0.37 }, shape: [5, 4]).converted(to: x[0].dtype)
    return x[0].rotary(
      cosines: (angles * angles).scaled(by: 0.01),
      sines: angles.mapped(.tanh),
      start: 2
    )
  },
]
