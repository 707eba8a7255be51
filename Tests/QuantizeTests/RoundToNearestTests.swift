import CKernels
import Checkpoints
import Foundation
import Models
import Quantize
import Tensor
import TestSupport
import Testing

/// A grid of the goldens.
struct GridCase: Sendable, CustomStringConvertible {
  let bits: Int
  let group: Int
  let zero: GroupFormat.Zero
  let negative: Bool

  var description: String {
    "\(bits).\(group).\(zero.rawValue)\(negative ? ".negative" : "")"
  }

  func grid(_ rule: ScaleRule = .absoluteMaximum, type: ScaleType = .float16) -> Grid {
    Grid(
      bits: bits,
      groupSize: .columns(group),
      zero: zero,
      scale: rule,
      scaleType: type,
      negativeScales: negative
    )
  }

  static let all: [GridCase] = (2...8).flatMap { bits in
    [32, 64, 128].flatMap { group in
      [
        GridCase(bits: bits, group: group, zero: .symmetric, negative: false),
        GridCase(bits: bits, group: group, zero: .symmetric, negative: true),
        GridCase(bits: bits, group: group, zero: .integer, negative: false),
        GridCase(bits: bits, group: group, zero: .offset, negative: false),
      ]
    }
  }
}

/// The codes of a weight, one a byte.
func unpacked(_ weight: GroupQuantizedWeight) -> [UInt8] {
  let rowBytes = weight.codes.shape[1]
  let packed = weight.codes.elements(as: UInt8.self)
  return (0..<weight.rows).flatMap { row in
    var codes = [UInt8](repeating: 0, count: weight.columns)
    slm_codes_unpack(
      Array(packed[row * rowBytes..<(row + 1) * rowBytes]),
      Int64(weight.columns),
      Int32(weight.groupFormat.bits),
      &codes
    )
    return codes
  }
}

func randomMatrix(_ rows: Int, _ columns: Int, seed: UInt64) -> Tensor {
  var random = TinyRandom(seed: seed)
  // Products of two normal numbers have heavier tails, as weights do.
  return Tensor(
    (0..<rows * columns).map { _ in 0.05 * random.normal() * (1 + abs(random.normal())) },
    shape: [rows, columns]
  )
}

@Suite("Round to nearest")
struct RoundToNearestTests {
  private static let golden = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Golden/quantize/round_to_nearest.safetensors")

  @Test("codes, scales and zeros equal numpy's", arguments: GridCase.all)
  func equalsGolden(_ example: GridCase) throws {
    let file = try SafetensorsFile(path: Self.golden.path)
    let weights = try file.tensor("weights")
    let rounded = try roundToNearest(StoredMatrix(weights), grid: example.grid()).weight
    #expect(
      unpacked(rounded) == (try file.tensor("\(example).codes")).elements(as: UInt8.self)
    )
    #expect(
      rounded.scales.converted(to: .float32).elements(as: Float.self)
        == (try file.tensor("\(example).scales")).elements(as: Float.self)
    )
    if let zeros = rounded.zeroPoints {
      #expect(
        zeros.elements(as: UInt8.self)
          == (try file.tensor("\(example).zeros")).elements(as: UInt8.self)
      )
    }
    if let offsets = rounded.offsets {
      #expect(
        offsets.converted(to: .float32).elements(as: Float.self)
          == (try file.tensor("\(example).offsets")).elements(as: Float.self)
      )
    }
  }

  @Test(
    "no weight moves by more than half a scale and what rounding the scale adds",
    arguments: GridCase.all,
    [ScaleType.float16, .bfloat16, .float32]
  )
  func errorBound(_ example: GridCase, _ type: ScaleType) throws {
    let weights = randomMatrix(6, 128, seed: 3)
    let rounded = try roundToNearest(
      StoredMatrix(weights),
      grid: example.grid(type: type)
    ).weight
    let (x, y) = (weights.elements(as: Float.self), rounded.dense.elements(as: Float.self))
    let scales = rounded.scales.converted(to: .float32).elements(as: Float.self)
    let precision: Float = [.float16: 0x1p-12, .bfloat16: 0x1p-9, .float32: 0x1p-24][type] ?? 0
    // The code without a counterpart lies half a step beyond a grid with positive scales, and a
    // whole one beyond the opposite end of a grid with negative scales.
    let reach: Float = example.zero == .symmetric && example.negative && example.bits < 8 ? 1 : 0.5
    let factor = reach + 2 * precision * Float(1 << example.bits)
    for index in x.indices {
      let scale = abs(scales[index / example.group])
      #expect(abs(x[index] - y[index]) <= scale * factor * 1.0001, "element \(index)")
    }
  }

  @Test("the reported error is that of the stored numbers", arguments: ScaleRule.allCases)
  func reportedError(_ rule: ScaleRule) throws {
    let weights = randomMatrix(4, 128, seed: 5)
    let grid = Grid(bits: 4, groupSize: .channel, zero: .integer, scale: rule)
    let rounded = try roundToNearest(StoredMatrix(weights), grid: grid)
    let pairs = zip(weights.elements(as: Float.self), rounded.weight.dense.elements(as: Float.self))
    let error = pairs.reduce(0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    let norm = weights.elements(as: Float.self).reduce(0) { $0 + Double($1 * $1) }
    #expect(abs(rounded.relativeError - error / norm) < 1e-5 * error / norm)
  }

  @Test("quantizing what is on the grid already changes nothing", arguments: [4, 8])
  func idempotent(bits: Int) throws {
    let grid = Grid(bits: bits, groupSize: .columns(32))
    let once = try roundToNearest(StoredMatrix(randomMatrix(4, 64, seed: 9)), grid: grid).weight
    let twice = try roundToNearest(once.matrix, grid: grid).weight
    #expect(twice.dense.elements(as: Float.self) == once.dense.elements(as: Float.self))
  }

  @Test("zeros, constants and tiny weights are no trouble", arguments: GridCase.all)
  func extremes(_ example: GridCase) throws {
    for value: Float in [0, -0.25, 1e-30, Float(bitPattern: 714), 3e-7] {
      let weights = Tensor([Float](repeating: value, count: 128), shape: [1, 128])
      for rule in ScaleRule.allCases {
        // Half precision scales are multiples of 2⁻²⁴.
        for (type, least) in [(ScaleType.float16, Float(256 * 0x1p-24)), (.float32, 0)] {
          let grid = example.grid(rule, type: type)
          let rounded = try roundToNearest(StoredMatrix(weights), grid: grid)
          let dense = rounded.weight.dense.elements(as: Float.self)
          #expect(dense.allSatisfy { abs($0 - value) <= max(abs(value) / 2, least) })
        }
      }
    }
  }

  @Test("a damaged weight or a scale out of range is an error that names the layer")
  func notFinite() throws {
    var elements = [Float](repeating: 0.5, count: 64)
    elements[40] = .nan
    let damaged = StoredMatrix(Tensor(elements, shape: [2, 32]))
    #expect {
      try roundToNearest(damaged, grid: Grid(bits: 4, groupSize: .columns(32)), layer: "layer")
    } throws: { "\($0)".hasPrefix("layer: a weight is infinite or not a number") }
    elements[40] = 1e7
    let large = StoredMatrix(Tensor(elements, shape: [2, 32]))
    #expect {
      try roundToNearest(large, grid: Grid(bits: 4, groupSize: .columns(32)), layer: "layer")
    } throws: { "\($0)".contains("scale_type: float32") }
    #expect(throws: QuantizeError.self) {
      try roundToNearest(large, grid: Grid(bits: 4, groupSize: .columns(24)))
    }
  }

  @Test("codes of every width are packed lowest bits first", arguments: 2...8)
  func packing(bits: Int) {
    var random = TinyRandom(seed: UInt64(bits))
    for count in [1, 7, 8, 9, 31, 64, 100] {
      let codes = (0..<count).map { _ in
        UInt8.random(in: 0..<UInt8(clamping: 1 << bits), using: &random)
      }
      var packed = [UInt8](repeating: 0, count: (count * bits + 7) / 8)
      slm_codes_pack(codes, Int64(count), Int32(bits), &packed)
      for (index, code) in codes.enumerated() {
        let read = (0..<bits).reduce(0) { value, bit in
          let place = index * bits + bit
          return value | Int(packed[place / 8] >> (place % 8) & 1) << bit
        }
        #expect(read == Int(code))
      }
      var back = [UInt8](repeating: 0, count: count)
      slm_codes_unpack(packed, Int64(count), Int32(bits), &back)
      #expect(back == codes)
    }
  }
}
