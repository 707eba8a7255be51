import Tensor
import TestSupport
import Testing

@Suite("Block quantizers")
struct BlockQuantizerTests {
  let golden: Golden
  let values: Tensor
  let importance: Tensor

  init() throws {
    golden = try Golden("quantize/block_quantizers.safetensors")
    values = golden["values"]
    importance = golden["importance"]
  }

  @Test("write ggml's bytes without importance", arguments: BlockFormat.allCases)
  func plain(_ format: BlockFormat) {
    expectEqualRows(values.roundedToBlocks(format), golden["\(format.name).plain"])
  }

  @Test("write ggml's bytes with importance", arguments: BlockFormat.allCases)
  func weighted(_ format: BlockFormat) {
    let expected = golden["\(format.name).weighted"]
    expectEqualRows(values.roundedToBlocks(format, importance: importance), expected)
    // Importance matters to every format that has a choice.
    let plain = golden["\(format.name).plain"].elements(as: UInt8.self)
    #expect((plain == expected.elements(as: UInt8.self)) == (format == .q8_0))
  }

  @Test("take parts of rows as the complete rows", arguments: BlockFormat.allCases)
  func parts(_ format: BlockFormat) {
    let rows = values.shape[0]
    let all = values.elements(as: Float.self)
    let weights = importance.elements(as: Float.self)
    var squares: [Float] = []
    var part: [Float] = []
    for row in 0..<rows {
      let elements = all[row * 512..<(row + 1) * 512]
      // The row's mean square, added in the order of the reference.
      var sum: Float = 0
      for value in elements { sum += value * value }
      squares.append(sum / 512)
      part += elements.suffix(256)
    }
    let packed = Tensor(part, shape: [rows, 256]).roundedToBlocks(
      format,
      importance: Tensor(Array(weights.suffix(256))),
      meanSquares: Tensor(squares)
    )
    let size = packed.shape[1]
    let expected = golden["\(format.name).weighted"].elements(as: UInt8.self)
    var halves: [UInt8] = []
    for row in 0..<rows { halves += expected[(2 * row + 1) * size..<(2 * row + 2) * size] }
    #expect(packed.elements(as: UInt8.self) == halves)
  }

  private func expectEqualRows(_ packed: Tensor, _ expected: Tensor) {
    #expect(packed.shape == expected.shape)
    let (a, b) = (packed.elements(as: UInt8.self), expected.elements(as: UInt8.self))
    let columns = packed.shape[1]
    for row in 0..<packed.shape[0] {
      let range = row * columns..<(row + 1) * columns
      #expect(a[range] == b[range], "row \(row)")
    }
  }
}

@Suite("Block grids")
struct BlockGridTests {
  let golden: Golden
  init() throws { golden = try Golden("quantize/block_quantizers.safetensors") }

  /// Blocks of every kind: random bytes are valid codes and scales; halves are kept finite.
  func randomBlocks(_ format: BlockFormat) -> Tensor {
    var random = Random(seed: 11)
    let size = format.blockByteCount
    var bytes: [UInt8] = []
    for _ in 0..<64 * size { bytes.append(.random(in: 0...255, using: &random)) }
    for block in 0..<64 {
      for high in format.highBytesOfHalves { bytes[block * size + high] &= 0xBB }
    }
    return Tensor(bytes, shape: [16, 4 * size])
  }

  @Test("stand for the numbers that readers compute, bit by bit", arguments: BlockFormat.allCases)
  func equality(_ format: BlockFormat) {
    let grid = format.grid
    let blocks = randomBlocks(format)
    let shape: Shape = [16, 4 * format.blockLength]
    let widened = Tensor(blocks: blocks, format: format, shape: shape).elements(as: Float.self)
    let (scales, offsets) = grid.scalesAndOffsets(blocks)
    let (scale, offset) = (scales.elements(as: Float.self), offsets.elements(as: Float.self))
    let codes = grid.codes(of: blocks).elements(as: UInt8.self)
    let length = grid.subBlockLength
    let computed = codes.indices.map { (index: Int) -> Float in
      let product: Float = scale[index / length] * grid.levels[Int(codes[index])]
      return product + offset[index / length]
    }
    #expect(computed.map(\.bitPattern) == widened.map(\.bitPattern))
    #expect(Set(codes).count == grid.codeCount)
  }

  @Test("give back the codes put into them, and keep scales", arguments: BlockFormat.allCases)
  func codes(_ format: BlockFormat) {
    let grid = format.grid
    var random = Random(seed: 12)
    let blocks = randomBlocks(format)
    let top = UInt8(grid.codeCount - 1)
    var elements: [UInt8] = []
    for _ in 0..<64 * format.blockLength { elements.append(.random(in: 0...top, using: &random)) }
    let codes = Tensor(elements, shape: [16, 4 * format.blockLength])
    let replaced = grid.replacingCodes(of: blocks, with: codes)
    #expect(grid.codes(of: replaced).elements(as: UInt8.self) == codes.elements(as: UInt8.self))
    let back = grid.replacingCodes(of: replaced, with: grid.codes(of: blocks))
    #expect(back.elements(as: UInt8.self) == blocks.elements(as: UInt8.self))
  }

  @Test("find the code whose number is nearest", arguments: BlockFormat.allCases)
  func nearest(_ format: BlockFormat) {
    let grid = format.grid
    let values = golden["values"].rows(0..<2)
    let (scales, offsets) = grid.scalesAndOffsets(golden["\(format.name).plain"].rows(0..<2))
    let codes = grid.nearestCodes(values, scales: scales, offsets: offsets)
      .elements(as: UInt8.self)
    let (scale, offset) = (scales.elements(as: Float.self), offsets.elements(as: Float.self))
    for (index, value) in values.elements(as: Float.self).enumerated() {
      let (s, o) = (scale[index / grid.subBlockLength], offset[index / grid.subBlockLength])
      let goal = Double(value) - Double(o)
      let errors = grid.levels.map { (level: Float) -> Double in
        abs(Double(s) * Double(level) - goal)
      }
      let least = errors.min() ?? 0
      #expect(errors[Int(codes[index])] <= least + 1e-6 * Double(abs(s)), "value \(index)")
    }
  }

  @Test("search no worse than the extremes would", arguments: [BlockFormat.q4_K, .q6_K, .iq4_XS])
  func gain(_ format: BlockFormat) {
    let values = golden["values"].rows(0..<2)
    let baseline: BlockFormat = format == .q6_K ? .q5_0 : .q4_0
    func error(_ format: BlockFormat) -> Double {
      let packed = values.roundedToBlocks(format)
      let restored = Tensor(blocks: packed, format: format, shape: values.shape)
      var sum = 0.0
      for (a, b) in zip(values.elements(as: Float.self), restored.elements(as: Float.self)) {
        sum += Double((a - b) * (a - b))
      }
      return sum
    }
    #expect(error(format) < error(baseline))
  }
}

extension BlockFormat {
  /// Where in a block the bytes with the exponents of its half-precision numbers lie.
  fileprivate var highBytesOfHalves: [Int] {
    switch self {
    case .q4_0, .q5_0, .q8_0, .iq4_NL, .iq4_XS: [1]
    case .q4_1, .q5_1, .q4_K, .q5_K: [1, 3]
    case .q2_K: [81, 83]
    case .q3_K: [109]
    case .q6_K: [209]
    }
  }
}
