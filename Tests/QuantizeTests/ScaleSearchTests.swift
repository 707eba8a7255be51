import Foundation
import Models
import Quantize
import Tensor
import TestSupport
import Testing

@Suite("Search for scales")
struct ScaleSearchTests {
  @Test(
    "least squares is never worse than absolute maximum, group by group",
    arguments: [2, 3, 4, 5, 8],
    GroupFormat.Zero.allCases
  )
  func neverWorse(bits: Int, zero: GroupFormat.Zero) throws {
    for (size, seed) in [(32, 1), (20, 2), (128, 3)] as [(Int, UInt64)] {
      let weights = StoredMatrix(randomMatrix(200, size, seed: seed))
      for negative in [false, true] {
        func errors(_ rule: ScaleRule) throws -> [Double] {
          let grid = Grid(
            bits: bits,
            groupSize: .channel,
            zero: zero,
            scale: rule,
            negativeScales: negative
          )
          return try (0..<200).map { row in
            try roundToNearest(weights.rows(row..<row + 1), grid: grid).squaredError
          }
        }
        let pairs = zip(try errors(.leastSquares), try errors(.absoluteMaximum))
        #expect(pairs.allSatisfy { $0.0 <= $0.1 })
      }
    }
  }

  @Test("the search comes within a percent of trying every float16 scale", arguments: [2, 3, 4])
  func nearBruteForce(bits: Int) throws {
    let weights = randomMatrix(40, 16, seed: 17)
    let middle = Float(1 << (bits - 1))
    var (found, best) = (0.0, 0.0)
    for row in 0..<40 {
      let x = weights.rows(row..<row + 1).elements(as: Float.self)
      let grid = Grid(bits: bits, groupSize: .channel, scale: .leastSquares)
      found += try roundToNearest(StoredMatrix(weights.rows(row..<row + 1)), grid: grid)
        .squaredError
      let extent = x.reduce(0) { max($0, abs($1)) }
      var least = Double.infinity
      // Half precision numbers of both signs, from finer than useful to one code for all.
      for pattern in UInt16(0)..<0x7C00 {
        let magnitude = Float(halfBits: pattern)
        guard magnitude > extent / (8 * middle), magnitude < 2 * extent else { continue }
        for scale in [magnitude, -magnitude] {
          let error = x.reduce(0.0) { sum, value in
            let code = min(middle - 1, max(-middle, (value / scale).rounded(.toNearestOrEven)))
            let difference = Double(value - scale * code)
            return sum + difference * difference
          }
          least = min(least, error)
        }
      }
      best += least
    }
    #expect(found >= best * 0.9999)
    #expect(found <= best * 1.01, "\(found / best)")
  }

  @Test("a grid hidden in the weights is found", arguments: GroupFormat.Zero.allCases)
  func exactGrid(_ zero: GroupFormat.Zero) throws {
    var random = TinyRandom(seed: 23)
    let codes = [0, 15] + (0..<30).map { _ in Int.random(in: 0...15, using: &random) }
    let weights = codes.map { code -> Float in
      switch zero {
      case .symmetric: 0.125 * Float(code - 8)
      case .integer: 0.125 * Float(code - 3)
      case .offset: 0.125 * Float(code) + 7.5
      }
    }
    let grid = Grid(bits: 4, groupSize: .columns(32), zero: zero, scale: .leastSquares)
    let rounded = try roundToNearest(StoredMatrix(Tensor(weights, shape: [1, 32])), grid: grid)
    #expect(rounded.squaredError < 1e-9)
  }
}

extension Float {
  /// The number that the bits of a positive half precision number stand for.
  fileprivate init(halfBits: UInt16) {
    let (exponent, fraction) = (Int(halfBits >> 10), Float(halfBits & 0x3FF) / 1024)
    self =
      exponent == 0
      ? Float(sign: .plus, exponent: -14, significand: 1) * fraction
      : Float(sign: .plus, exponent: exponent - 15, significand: 1) * (1 + fraction)
  }
}
