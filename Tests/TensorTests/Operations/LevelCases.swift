import Tensor
import TestSupport

/// Weights made of levels and scales.
let levelCases: [OperationCase] = [
  OperationCase("scaled levels", covers: ["scaledLevels"], [.normal([5, 3])]) {
    $0[0].scaledLevels(of: levelCodes(5, 70), groupSize: 32)
  },
  OperationCase(
    "scaled levels with offsets, groups across pieces",
    covers: ["scaledLevels"],
    [.normal([3, 4]), .normal([3, 4])]
  ) {
    $0[0].scaledLevels(of: levelCodes(3, 610), groupSize: 200, offsets: $0[1])
  },
  OperationCase(
    "scaled levels with shifts",
    covers: ["scaledLevels"],
    [.normal([40, 2]), .normal([40, 2])]
  ) {
    var random = Random(seed: 4)
    let shifts = StoredMatrix(random.normal([40, 512]))
    return $0[0].scaledLevels(
      of: levelCodes(40, 512),
      groupSize: 256,
      offsets: $0[1],
      shifts: shifts
    )
  },
  OperationCase(
    "linear by scaled levels made again",
    covers: ["linear", "scaledLevels"],
    [.normal([3, 64]), .normal([20, 2])]
  ) { inputs in
    let weight = { inputs[1].scaledLevels(of: levelCodes(20, 64), groupSize: 32) }
    return inputs[0].linear(
      weight: weight(),
      inputAgain: nil,
      weightAgain: { weight().detached }
    )
  },
]

/// The levels −8...7 in some order.
private func levelCodes(_ rows: Int, _ columns: Int) -> StoredMatrix {
  let bytes = (columns + 1) / 2
  let codes = (0..<rows * bytes).map { UInt8(truncatingIfNeeded: $0 * 37 + $0 / 7) }
  return StoredMatrix(
    codes: Tensor(codes, shape: [rows, bytes]),
    bits: 4,
    groupSize: columns,
    scales: Tensor([Float](repeating: 1, count: rows), shape: [rows, 1]),
    columns: columns
  )
}
