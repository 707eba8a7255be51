internal import Foundation

/// A seeded source of random numbers: the same seed gives the same numbers on every machine.
///
/// ```swift
/// var random = Random(seed: 7)
/// let weight = random.normal([576, 192], deviation: 0.02)
/// ```
///
/// Source: Blackman and Vigna, *Scrambled Linear Pseudorandom Number Generators*, 2018,
/// arXiv:1805.01407: xoshiro256**, its state filled by SplitMix64 as its authors advise.
public struct Random: RandomNumberGenerator, Sendable {
  private var state: (UInt64, UInt64, UInt64, UInt64)
  /// The second of a pair of normal numbers, not handed out yet.
  private var spare: Double?

  /// Starts the sequence that belongs to `seed`.
  public init(seed: UInt64) {
    var mixer = seed
    func mixed() -> UInt64 {
      mixer &+= 0x9E37_79B9_7F4A_7C15
      var z = mixer
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    state = (mixed(), mixed(), mixed(), mixed())
  }

  /// Returns 64 random bits.
  public mutating func next() -> UInt64 {
    func rotated(_ x: UInt64, _ bits: UInt64) -> UInt64 { (x << bits) | (x >> (64 - bits)) }
    let result = rotated(state.1 &* 5, 7) &* 9
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = rotated(state.3, 45)
    return result
  }

  /// Returns a number in `0..<1`, a multiple of 2⁻⁵³.
  public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Returns an index in `0..<bound`, all equally likely.
  ///
  /// - Precondition: `bound` is positive.
  public mutating func index(below bound: Int) -> Int {
    require(bound > 0, "random index: bound \(bound)")
    // Lemire, 2019, arXiv:1805.10941: the high word of a product, redrawn where it is uneven.
    let bound = UInt64(bound)
    var product = next().multipliedFullWidth(by: bound)
    if product.low < bound {
      let threshold = (0 &- bound) % bound
      while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
    }
    return Int(product.high)
  }

  /// Returns a number of the standard normal distribution.
  ///
  /// Source: Marsaglia and Bray, *A Convenient Method for Generating Normal Variables*, 1964: the
  /// polar method.
  public mutating func normal() -> Double {
    if let kept = spare {
      spare = nil
      return kept
    }
    while true {
      let (x, y) = (2 * uniform() - 1, 2 * uniform() - 1)
      let square = x * x + y * y
      guard square > 0 && square < 1 else { continue }
      let factor = (-2 * log(square) / square).squareRoot()
      spare = y * factor
      return x * factor
    }
  }

  /// Returns the elements in random order, all orders equally likely.
  public mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for last in stride(from: result.count - 1, to: 0, by: -1) {
      result.swapAt(last, index(below: last + 1))
    }
    return result
  }

  /// Returns a tensor of normal numbers.
  ///
  /// - Precondition: `float32` or `float64`.
  public mutating func normal(
    _ shape: Shape,
    mean: Double = 0,
    deviation: Double = 1,
    dtype: DType = .float32
  ) -> Tensor {
    filled(shape, dtype) { mean + deviation * $0.normal() }
  }

  /// Returns a tensor of numbers spread evenly over a range.
  ///
  /// - Precondition: `float32` or `float64`.
  public mutating func uniform(
    _ shape: Shape,
    in range: Range<Double> = 0..<1,
    dtype: DType = .float32
  ) -> Tensor {
    filled(shape, dtype) {
      range.lowerBound + (range.upperBound - range.lowerBound) * $0.uniform()
    }
  }

  private mutating func filled(
    _ shape: Shape,
    _ dtype: DType,
    _ draw: (inout Random) -> Double
  ) -> Tensor {
    let result = Tensor(uninitialized: shape, dtype: dtype)
    result.requireReal("random")
    for index in 0..<result.count {
      let value = draw(&self)
      if result.isSingle {
        result.floats(index).pointee = Float(value)
      } else {
        result.doubles(index).pointee = value
      }
    }
    return result
  }
}
