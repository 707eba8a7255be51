/// A seeded source of random numbers that is small and cheap to start.
///
/// Source: Steele, Lea and Flood, *Fast Splittable Pseudorandom Number Generators*, 2014:
/// SplitMix64.
struct SplitMix: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// Starts the sequence that belongs to several numbers, each of which changes all of it.
  init(_ seeds: UInt64...) {
    var mixed: UInt64 = 0
    for seed in seeds {
      var step = SplitMix(seed: mixed ^ seed)
      mixed = step.next()
    }
    state = mixed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Returns an index in `0..<bound`; the standard library's may change from version to version.
  mutating func index(below bound: Int) -> Int {
    Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// Returns the numbers from 0 and below `count` in random order.
  ///
  /// Source: Durstenfeld, *Algorithm 235: Random permutation*, 1964.
  mutating func permutation(_ count: Int) -> [Int] {
    var result = Array(0..<count)
    result.withUnsafeMutableBufferPointer { result in
      for last in stride(from: count - 1, to: 0, by: -1) {
        result.swapAt(last, index(below: last + 1))
      }
    }
    return result
  }
}
