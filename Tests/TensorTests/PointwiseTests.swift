import Foundation
import Tensor
import TestSupport
import Testing

@Suite("Element by element")
struct PointwiseTests {
  /// Distance in units of the last place of the exact result's float neighbourhood.
  private func ulps(_ value: Float, _ exact: Double) -> Double {
    let rounded = Float(exact)
    if value == rounded || (value.isNaN && rounded.isNaN) { return 0 }
    return abs(Double(value) - exact) / Double(max(rounded.magnitude, 0x1p-126).ulp)
  }

  private func worst(
    _ function: PointwiseFunction,
    over values: [Float],
    _ exact: (Double) -> Double
  ) -> Double {
    let results = Tensor(values).mapped(function).elements(as: Float.self)
    return zip(values, results).map { ulps($1, exact(Double($0))) }.max() ?? 0
  }

  /// Numbers evenly spread over the bit patterns of both signs up to `limit`.
  private func spread(to limit: Float) -> [Float] {
    stride(from: 0, through: limit.bitPattern, by: 6007)
      .flatMap { [Float(bitPattern: $0), -Float(bitPattern: $0)] }
  }

  @Test("the exponential is within 1.1 ulp, and 0 where it would be subnormal")
  func exponential() {
    #expect(worst(.exponential, over: spread(to: 88.72).filter { $0 > -87.33 }, exp) <= 1.1)
    let tiny = spread(to: 1e4).filter { $0 < -87.34 }
    #expect(Tensor(tiny).mapped(.exponential).largestMagnitude() == 0)
    let special = Tensor([-.infinity, .infinity, .nan, 89, -104, 0] as [Float])
      .mapped(.exponential).elements(as: Float.self)
    #expect(special[0] == 0 && special[1] == .infinity && special[2].isNaN)
    #expect(special[3] == .infinity && special[4] == 0 && special[5] == 1)
  }

  @Test("functions stay within their errors")
  func functions() {
    let values = spread(to: 80)
    #expect(worst(.tanh, over: values, tanh) <= 2)
    #expect(worst(.sigmoid, over: values) { 1 / (1 + exp(-$0)) } <= 3)
    #expect(worst(.silu, over: values) { $0 / (1 + exp(-$0)) } <= 4)
    #expect(worst(.relu, over: values) { max($0, 0) } == 0)
    #expect(worst(.square, over: values) { $0 * $0 } <= 0.5)
    #expect(worst(.absolute, over: values) { abs($0) } == 0)
    #expect(worst(.squareRoot, over: values.filter { $0 >= 0 }) { $0.squareRoot() } <= 0.5)
    #expect(worst(.logarithm, over: values.filter { $0 > 0 }, log) <= 1)
  }

  @Test("GELU is within 2e-7 of its formula, relative to the argument")
  func gelu() {
    let values = spread(to: 20)
    for (function, exact) in [
      (PointwiseFunction.gelu, { $0 / 2 * erfc(-$0 / 2.0.squareRoot()) }),
      (
        .geluTanh,
        { $0 / (1 + exp(-2 * (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
      ),
    ] as [(PointwiseFunction, (Double) -> Double)] {
      let results = Tensor(values).mapped(function).elements(as: Float.self)
      for (x, y) in zip(values, results) {
        #expect(abs(Double(y) - exact(Double(x))) <= 2e-7 * Double(abs(x)) + 1e-38, "\(x)")
      }
    }
  }

  @Test("float64 agrees with float32", arguments: PointwiseFunction.allCases)
  func double(function: PointwiseFunction) {
    var random = Random(seed: 4)
    let x = random.uniform([1001], in: 0.01..<4)
    let expected = x.converted(to: .float64).mapped(function)
    #expect(
      difference(x.mapped(function).numbers, expected.numbers, relative: 4e-7, absolute: 1e-7)
        == nil
    )
  }

  @Test("gated units are products with the function of the gate")
  func gated() {
    var random = Random(seed: 5)
    for dtype in [DType.float32, .float64] {
      let gate = random.normal([3, 37], dtype: dtype)
      let up = random.normal([3, 37], dtype: dtype)
      #expect(difference(gate.swiGLU(up: up), gate.silu() * up, relative: 1e-6) == nil)
      for approximated in [false, true] {
        #expect(
          difference(
            gate.geGLU(up: up, approximated: approximated),
            gate.gelu(approximated: approximated) * up,
            relative: 1e-6
          ) == nil
        )
      }
      #expect(
        difference(
          gate.softCapped(2).numbers,
          gate.numbers.map { 2 * tanh($0 / 2) },
          absolute: 1e-6
        )
          == nil
      )
      #expect(
        difference(
          gate.scaled(by: 3, shift: -1).numbers,
          gate.numbers.map { 3 * $0 - 1 },
          absolute: 1e-6
        )
          == nil
      )
    }
  }

  @Test("arithmetic broadcasts as NumPy does")
  func broadcasting() {
    var random = Random(seed: 6)
    let shapes: [(Shape, Shape)] = [
      ([4, 5], [4, 5]), ([4, 5], [5]), ([5], [4, 5]), ([4, 1], [4, 5]), ([4, 5], [1]), ([], [3]),
      ([2, 1, 3, 1], [4, 1, 5]), ([2, 3, 1], [1, 1, 1]), ([1, 1], [1]), ([0, 3], [3]),
      ([2, 3, 4], [3, 1]), ([70_000], [1]), ([70_000], [70_000]),
    ]
    for (left, right) in shapes {
      for dtype in [DType.float32, .float64] {
        let a = random.uniform(left, in: 1..<2, dtype: dtype)
        let b = random.uniform(right, in: 1..<2, dtype: dtype)
        let sum = a - b
        let (x, y) = (a.numbers, b.numbers)
        let rank = max(left.rank, right.rank)
        func extent(_ shape: Shape, _ axis: Int) -> Int {
          let at = axis - (rank - shape.rank)
          return at < 0 ? 1 : shape[at]
        }
        let extents = (0..<rank).map {
          extent(left, $0) == 1 ? extent(right, $0) : extent(left, $0)
        }
        #expect(sum.shape == Shape(extents))
        let expected = (0..<sum.count).map { index -> Double in
          var (rest, i, j, si, sj) = (index, 0, 0, 1, 1)
          for axis in (0..<rank).reversed() {
            let position = rest % extents[axis]
            rest /= extents[axis]
            if extent(left, axis) > 1 { i += position * si }
            if extent(right, axis) > 1 { j += position * sj }
            (si, sj) = (si * extent(left, axis), sj * extent(right, axis))
          }
          return x[i] - y[j]
        }
        #expect(difference(sum.numbers, expected, absolute: 1e-6) == nil, "\(left) \(right)")
      }
    }
    let (a, b) = (Tensor([1, 6] as [Float]), Tensor([2, 3] as [Float]))
    #expect(
      (a + b).numbers == [3, 9] && (a * b).numbers == [2, 18] && (a / b).numbers == [0.5, 2]
    )
    #expect(a.maximum(b).numbers == [2, 6] && a.minimum(b).numbers == [1, 3])
  }

  @Test("reductions equal plain sums", arguments: [1, 15, 16, 4097, 20_001])
  func reductions(count: Int) {
    var random = Random(seed: UInt64(count))
    for dtype in [DType.float32, .float64] {
      let x = random.normal([count], dtype: dtype)
      let y = random.normal([count], dtype: dtype)
      let (a, b) = (x.numbers, y.numbers)
      let budget = (dtype == .float32 ? 1e-5 : 1e-11) * Double(count).squareRoot()
      #expect(abs(x.sum() - a.reduce(0, +)) <= budget)
      #expect(abs(x.dot(y) - zip(a, b).map(*).reduce(0, +)) <= budget)
      #expect(abs(x.sumOfSquares() - a.map { $0 * $0 }.reduce(0, +)) <= budget)
      #expect(x.largestMagnitude() == a.map(abs).max())
    }
    let matrix = random.normal([7, count % 1000 + 1])
    let columns = matrix.shape.columns
    let numbers = matrix.numbers
    let sums = (0..<columns).map { c in (0..<7).reduce(0) { $0 + numbers[$1 * columns + c] } }
    #expect(difference(matrix.columnSums().numbers, sums, absolute: 1e-10) == nil)
    let squares = (0..<columns).map { c in
      (0..<7).reduce(0) { $0 + numbers[$1 * columns + c] * numbers[$1 * columns + c] }
    }
    #expect(difference(matrix.columnSums(squared: true).numbers, squares, absolute: 1e-10) == nil)
    let largest = (0..<7).map { row -> Double in
      let values = numbers[row * columns..<(row + 1) * columns]
      return Double((values.firstIndex(of: values.max() ?? 0) ?? 0) - row * columns)
    }
    #expect(matrix.largestColumns().numbers == largest)
  }
}
