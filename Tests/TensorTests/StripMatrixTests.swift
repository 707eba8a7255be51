import Foundation
import Tensor
import TestSupport
import Testing

@Suite("Product with blocks of 16 rows")
struct StripMatrixTests {
  /// A weight of which blocks of 16 rows and one column are zero.
  private func weight(
    _ rows: Int,
    _ columns: Int,
    zeros: Double,
    dtype: DType,
    _ random: inout Random
  ) -> Tensor {
    var weight = random.normal([rows, columns])
    let chosen = random.uniform([rows / 16, columns], in: 0..<1).elements(as: Float.self)
    weight.withMutableElements(as: Float.self) { values in
      for index in values.indices {
        let block = index / columns / 16 * columns + index % columns
        if Double(chosen[block]) < zeros { values[index] = index % 3 == 0 ? -0.0 : 0 }
      }
    }
    return weight.converted(to: dtype)
  }

  @Test(
    "equals the plain product in double precision",
    arguments: [DType.float32, .float16, .bfloat16],
    [(16, 1), (16, 3), (32, 64), (48, 577), (80, 100), (576, 1536)]
  )
  func product(dtype: DType, extents: (Int, Int)) throws {
    let (outputs, depth) = extents
    var random = Random(seed: UInt64(outputs + depth))
    for zeros in [0.0, 0.5, 0.9, 1] {
      let weight = weight(outputs, depth, zeros: zeros, dtype: dtype, &random)
      let strips = try #require(StripMatrix(StoredMatrix(weight), leastSparsity: 0))
      let bias = random.normal([outputs])
      let all = random.normal([4, depth])
      for rows in 1...4 {
        let x = all.rows(0..<rows)
        let y = x.multiplied(by: StoredMatrix(weight), bias: bias, strips: strips)
        let expected = Reference.product(x, weight, bias: bias)
        let budget = 4e-6 * Double(depth).squareRoot()
        #expect(difference(y.numbers, expected, absolute: budget) == nil)
        // A row is the same whatever stands beside it.
        let alone = all.rows(0..<1).multiplied(by: StoredMatrix(weight), bias: bias, strips: strips)
        #expect(alone.elements(as: Float.self) == y.rows(0..<1).elements(as: Float.self))
      }
    }
  }

  @Test("only a weight with enough zero blocks has strips, and many rows do not use them")
  func choice() throws {
    var random = Random(seed: 4)
    func strips(_ matrix: StoredMatrix) -> StripMatrix? { StripMatrix(matrix) }
    let half = weight(64, 200, zeros: 0.55, dtype: .float32, &random)
    let found = try #require(strips(StoredMatrix(half)))
    #expect(abs(found.sparsity - 0.5) < 0.1 && found.byteCount < half.byteCount * 3 / 5)
    #expect(strips(StoredMatrix(weight(64, 200, zeros: 0.1, dtype: .float32, &random))) == nil)
    #expect(strips(StoredMatrix(random.normal([24, 64]))) == nil)
    #expect(strips(StoredMatrix(half.converted(to: .float64))) == nil)
    // Zeros of no pattern are no blocks.
    var scattered = random.normal([64, 200])
    scattered.withMutableElements(as: Float.self) { values in
      for index in values.indices where (index + index / 200) % 2 == 0 { values[index] = 0 }
    }
    #expect(strips(StoredMatrix(scattered)).map { $0.sparsity } == nil)
    let x = random.normal([5, 200])
    let plain = x.multiplied(by: StoredMatrix(half))
    let many = x.multiplied(by: StoredMatrix(half), bias: nil, strips: found)
    #expect(plain.elements(as: Float.self) == many.elements(as: Float.self))
  }
}
