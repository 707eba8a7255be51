import Tensor
import TestSupport

/// Products of matrices and linear layers.
let linearCases =
  [false, true].flatMap { first in
    [false, true].map { second in
      OperationCase(
        "matrixProduct\(first ? ", first transposed" : "")\(second ? ", second transposed" : "")",
        covers: ["matrixProduct"],
        [
          .normal(first ? [4, 3] : [3, 4]), .normal(second ? [5, 4] : [4, 5]), .normal([3, 5]),
        ]
      ) {
        matrixProduct(
          $0[0],
          $0[1],
          firstTransposed: first,
          secondTransposed: second,
          alpha: 0.7,
          accumulated: $0[2]
        )
      }
    }
  } + [
    OperationCase(
      "matrixProduct, larger than tiles",
      covers: ["matrixProduct"],
      [.normal([50, 70]), .normal([70, 33])]
    ) { matrixProduct($0[0], $0[1]) },
    OperationCase(
      "linear with bias",
      covers: ["linear"],
      [.normal([2, 3, 4]), .normal([5, 4]), .normal([5])]
    ) { $0[0].linear(weight: $0[1], bias: $0[2]) },
    OperationCase(
      "linear, larger than tiles",
      covers: ["linear"],
      [.normal([2, 49, 65]), .normal([101, 65])]
    ) {
      $0[0].linear(weight: $0[1])
    },
    OperationCase(
      "linear, weight used twice",
      covers: ["linear"],
      [.normal([5, 7]), .normal([7, 7])]
    ) {
      $0[0].linear(weight: $0[1]).linear(weight: $0[1])
    },
    storedCase("float32", .float32), storedCase("bfloat16", .bfloat16),
    OperationCase("multiplied by codes", covers: ["multiplied"], [.normal([3, 64])]) {
      let codes = Tensor((0..<20 * 32).map { UInt8(truncatingIfNeeded: $0 * 37) }, shape: [20, 32])
      let scales = Tensor((0..<40).map { 0.01 * Float($0 + 1) }, shape: [20, 2])
      let matrix = StoredMatrix(codes: codes, bits: 4, groupSize: 32, scales: scales, columns: 64)
      return $0[0].multiplied(by: matrix)
    },
  ]

/// A frozen weight of more rows than are widened at a time.
private func storedCase(_ name: String, _ dtype: DType) -> OperationCase {
  OperationCase(
    "multiplied by \(name)",
    covers: ["multiplied"],
    [.normal([2, 9, 16]), .normal([1100])]
  ) {
    var random = Random(seed: 4)
    let weight = StoredMatrix(random.normal([1100, 16]).converted(to: dtype))
    return $0[0].multiplied(by: weight, bias: $0[1])
  }
}
