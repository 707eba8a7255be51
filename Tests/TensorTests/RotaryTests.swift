import Foundation
import Tensor
import TestSupport
import Testing

@Suite("Rotary embedding")
struct RotaryTests {
  @Test("turns pairs by the angles of their positions", arguments: [(16, 16), (20, 8), (6, 2)])
  func plain(channels: Int, rotated: Int) {
    var random = Random(seed: 1)
    let angles = (0..<40).map { position in
      (0..<rotated / 2).map { Double(position) / pow(100, Double($0) / 8) }
    }
    for (dtype, budget) in [(DType.float32, 1e-6), (.float64, 1e-14)] {
      let x = random.normal([2, 30, 3, channels], dtype: dtype)
      let table = Tensor(angles.flatMap { $0 }, shape: [40, rotated / 2])
      let cosines = Tensor(table.numbers.map { cos($0) }, shape: table.shape).converted(to: dtype)
      let sines = Tensor(table.numbers.map { sin($0) }, shape: table.shape).converted(to: dtype)
      for start in [0, 7] {
        let y = x.rotary(cosines: cosines, sines: sines, start: start)
        let expected = Reference.rotary(x, angles: angles, start: start)
        #expect(difference(y.numbers, expected, absolute: budget) == nil)
      }
    }
  }
}
