import Models
import Tensor
import TestSupport
import Testing

@Suite("Layers with blocks of zeros")
struct BlockSparseLayerTests {
  /// Sets every other block of 16 rows and one column to zero, of odd or even columns.
  private func pruned(_ weight: Tensor, from first: Int) -> Tensor {
    var weight = weight
    let columns = weight.shape[1]
    weight.withMutableElements(as: Float.self) { values in
      for index in values.indices where (index % columns + first) % 2 == 0 { values[index] = 0 }
    }
    return weight
  }

  @Test("few rows and many give the same outputs, also after the weight has changed")
  func products() throws {
    let tiny = try TinyModel(.init(hasBias: true, dtype: .bfloat16))
    let model = try tiny.load()
    var random = Random(seed: 2)
    for linear in model.linears {
      let original = linear.weight.dense
      let x = random.normal([20, linear.columns])
      for first in [0, 1, 0] {
        let weight = pruned(original, from: first).converted(to: .bfloat16)
        linear.weight = DenseWeight(weight)
        let many = linear(x)
        for rows in 1...5 {
          let few = linear(x.rows(0..<rows))
          #expect(
            difference(few, many.rows(0..<rows), relative: 1e-4, absolute: 1e-5) == nil,
            "\(linear.name) \(rows)"
          )
        }
      }
    }
  }
}
