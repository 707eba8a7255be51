import Tensor
import TestSupport
import Testing

/// Row lengths that do and do not divide by sixteen lanes.
private let lengths = [1, 2, 15, 16, 17, 33, 64, 100, 576, 1001]

@Suite("Normalization and softmax")
struct NormalizationTests {
  @Test("of the root mean square equals its formula", arguments: lengths)
  func rmsNorm(columns: Int) {
    for (dtype, budget) in [(DType.float32, 2e-6), (.float64, 1e-14)] {
      var random = Random(seed: UInt64(columns))
      let x = random.normal([3, 5, columns], dtype: dtype)
      let weight = random.normal([columns], dtype: dtype)
      for (scale, offset) in [(nil, 0), (weight, 0), (weight, 1)] as [(Tensor?, Double)] {
        let y = x.rmsNorm(weight: scale, epsilon: 1e-5, offset: offset)
        let expected = Reference.rmsNorm(x, scale, 1e-5, offset)
        #expect(difference(y.numbers, expected, relative: budget, absolute: budget) == nil)
      }
    }
  }

  @Test("of mean and variance equals its formula", arguments: lengths)
  func layerNorm(columns: Int) {
    for (dtype, budget) in [(DType.float32, 5e-6), (.float64, 1e-13)] {
      var random = Random(seed: UInt64(columns))
      let x = random.normal([7, columns], mean: 3, dtype: dtype)
      let weight = random.normal([columns], dtype: dtype)
      let bias = random.normal([columns], dtype: dtype)
      for shift in [nil, bias] {
        let y = x.layerNorm(weight: weight, bias: shift, epsilon: 1e-5)
        let expected = Reference.layerNorm(x, weight, shift, 1e-5)
        #expect(difference(y.numbers, expected, relative: budget, absolute: 10 * budget) == nil)
      }
    }
  }

  @Test("of exponentials equals its formula", arguments: lengths)
  func softmax(columns: Int) {
    for (dtype, budget) in [(DType.float32, 2e-6), (.float64, 1e-13)] {
      var random = Random(seed: UInt64(columns))
      let x = random.normal([6, columns], deviation: 5, dtype: dtype)
      let expected = Reference.logSoftmax(x)
      let logarithms = x.logSoftmax().numbers
      #expect(difference(logarithms, expected, relative: budget, absolute: budget) == nil)
      let first = x.numbers.enumerated().filter { $0.offset % columns == 0 }.map(\.element)
      let sums = zip(first, expected.enumerated().filter { $0.offset % columns == 0 })
        .map { $0 - $1.element }
      #expect(difference(x.logSumExp().numbers, sums, relative: budget, absolute: budget) == nil)
      let probabilities = x.softmax()
      #expect(
        difference(
          probabilities.mapped(.logarithm).numbers,
          expected,
          relative: 2 * budget,
          absolute: 4 * budget
        ) == nil
      )
      #expect(
        difference(
          probabilities.rowSums().numbers,
          [Double](repeating: 1, count: 6),
          absolute: budget
        )
          == nil
      )
    }
  }

  @Test("does not overflow, and gives masked columns no weight")
  func extremes() {
    let x = Tensor([1000, -.infinity, 1000, -1000, 0, 0, 0, 88] as [Float], shape: [2, 4])
    #expect(x.softmax().rows(0..<1).elements(as: Float.self) == [0.5, 0, 0.5, 0])
    #expect(x.softmax().elements(as: Float.self)[7] == 1)
    #expect(x.logSumExp().elements(as: Float.self)[0] == 1000.6932)
  }
}
