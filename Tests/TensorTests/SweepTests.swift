import CKernels
import Tensor
import TestSupport
import Testing

@Suite("Tile sweep")
struct SweepTests {
  @Test(
    "of every instruction set multiplies alike",
    arguments: [1, 2, 3],
    [(1, 1), (5, 7), (6, 33), (8, 64), (21, 100), (97, 16)]
  )
  func variants(vectors: Int, extents: (Int, Int)) throws {
    let (rows, depth) = extents
    let panel = Int(SLM_PANEL_ROWS)
    var random = Random(seed: UInt64(rows))
    let x = random.normal([depth, panel]).elements(as: Float.self)
    let w = random.normal([rows, depth]).elements(as: Float.self)
    let start = random.normal([rows, panel]).elements(as: Float.self)
    let transposed = (0..<rows * depth).map { w[$0 % rows * depth + $0 / rows] }
    var index: Int32 = 0
    while let sweep = slm_sweep_variant(index) {
      for accumulates in [false, true] {
        var (along, across) = (start, start)
        sweep(
          Int32(vectors),
          Int64(rows),
          Int64(depth),
          x,
          w,
          Int64(depth),
          1,
          &along,
          accumulates
        )
        sweep(
          Int32(vectors),
          Int64(rows),
          Int64(depth),
          x,
          transposed,
          1,
          Int64(rows),
          &across,
          accumulates
        )
        #expect(along == across)
        let expected = start.indices.map { place -> Double in
          let (row, column) = (place / panel, place % panel)
          guard column < 16 * vectors else { return Double(start[place]) }
          return (0..<depth).reduce(accumulates ? Double(start[place]) : 0) {
            $0 + Double(w[row * depth + $1]) * Double(x[$1 * panel + column])
          }
        }
        #expect(difference(along.map(Double.init), expected, absolute: 2e-5) == nil)
      }
      index += 1
    }
    #expect(index >= 1)
  }
}
