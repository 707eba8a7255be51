import Tensor
import TestSupport
import Testing

@Suite("Random numbers")
struct RandomTests {
  @Test("are those of the generator's authors")
  func sequence() {
    // xoshiro256** from the state that SplitMix64 makes of 0.
    var random = Random(seed: 0)
    #expect(
      (0..<3).map { _ in random.next() } == [
        0x99EC_5F36_CB75_F2B4, 0xBF6E_1F78_4956_452A, 0x1A5F_849D_4933_E6E0,
      ]
    )
  }

  @Test("are the same for the same seed, others for another")
  func seeds() {
    var (a, b, c) = (Random(seed: 7), Random(seed: 7), Random(seed: 8))
    let first = a.normal([100]).numbers
    #expect(b.normal([100]).numbers == first)
    #expect(c.normal([100]).numbers != first)
  }

  @Test("have the moments of their distributions")
  func moments() {
    var random = Random(seed: 1)
    let normal = random.normal([200_000], mean: 2, deviation: 3, dtype: .float64)
    #expect(abs(normal.mean() - 2) < 0.03)
    let centered = normal.scaled(by: 1, shift: -2)
    #expect(abs(centered.sumOfSquares() / 200_000 - 9) < 0.15)
    let uniform = random.uniform([200_000], in: -1..<3, dtype: .float64).numbers
    #expect(abs(uniform.reduce(0, +) / 200_000 - 1) < 0.02)
    #expect(uniform.allSatisfy { (-1..<3).contains($0) })
  }

  @Test("index every value about equally often, and shuffle into permutations")
  func indices() {
    var random = Random(seed: 2)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[random.index(below: 7)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })
    let shuffled = random.shuffled(Array(0..<1000))
    #expect(shuffled != Array(0..<1000) && shuffled.sorted() == Array(0..<1000))
  }
}
