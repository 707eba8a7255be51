import Tensor
import Testing

@testable import Checkpoints

@Suite("Blocks")
struct BlocksTests {
  let file: SafetensorsFile

  init() throws { file = try SafetensorsFile(path: golden("blocks.safetensors")) }

  @Test("are widened to the reference's bits", arguments: BlockFormat.allCases)
  func widened(_ format: BlockFormat) throws {
    let blocks = try file.tensor("\(format.name).blocks")
    let expected = try file.tensor("\(format.name).values")
    let values = Tensor(blocks: blocks, format: format, shape: expected.shape)
    #expect(values.shape == expected.shape)
    #expect(bytes(of: values) == bytes(of: expected))
    // The golden blocks are worth comparing only if they are not all alike.
    #expect(Set(expected.elements(as: Float.self)).count > 100)
  }

  @Test("are widened wherever they lie", arguments: BlockFormat.allCases)
  func unaligned(_ format: BlockFormat) throws {
    let blocks = bytes(of: try file.tensor("\(format.name).blocks"))
    let expected = try file.tensor("\(format.name).values")
    let shifted = tensor([0] + blocks, .uint8, shape: [blocks.count + 1])
    let values = Tensor(
      blocks: shifted.rows(1..<blocks.count + 1),
      format: format,
      shape: expected.shape
    )
    #expect(bytes(of: values) == bytes(of: expected))
  }

  @Test(
    "are rounded to the reference's bytes",
    arguments: BlockFormat.allCases.filter(\.roundsByExtremes)
  )
  func rounded(_ format: BlockFormat) throws {
    let rows = try file.tensor("rows")
    let expected = bytes(of: try file.tensor("\(format.name).rounded"))
    let packed = bytes(of: rows.roundedToBlocks(format))
    let size = format.blockByteCount
    for row in 0..<rows.shape[0] {
      let range = row * size..<(row + 1) * size
      #expect(packed[range] == expected[range], "row \(row)")
    }
  }

  @Test(
    "lie within half a step of the weights",
    arguments: BlockFormat.allCases.filter(\.roundsByExtremes)
  )
  func nearest(_ format: BlockFormat) throws {
    var random = SeededRandom(seed: 3)
    let rows = 4096
    let weights = (0..<32 * rows).map { _ in Float.random(in: -1...1, using: &random) }
    let packed = Tensor(weights, shape: [rows, 32]).roundedToBlocks(format)
    #expect(packed.shape == [rows, format.blockByteCount])
    let values = Tensor(blocks: packed, format: format, shape: [rows, 32])
      .elements(as: Float.self)
    // The one code short of symmetry costs a whole step at the far end of Q4_0 and Q5_0.
    let steps: Float =
      switch format {
      case .q4_0: 1.0 / 8
      case .q5_0: 1.0 / 16
      case .q4_1: 1.0 / 15
      case .q5_1: 1.0 / 31
      default: 0.5 / 127
      }
    let worst = zip(weights, values).map { abs($0 - $1) }.max() ?? 0
    // Scales are halves: up to 2⁻¹¹ of the range beyond that.
    #expect(worst <= steps + 2 * 0x1p-11)
    #expect(worst > steps * 0.5)
  }

  @Test("of zeros are zeros", arguments: BlockFormat.allCases.filter(\.roundsByExtremes))
  func zeros(_ format: BlockFormat) {
    let packed = Tensor(zeros: [2, 64]).roundedToBlocks(format)
    let values = Tensor(blocks: packed, format: format, shape: [2, 64])
    #expect(values.elements(as: Float.self).allSatisfy { $0 == 0 })
  }

  @Test("of negative zeros are what ggml makes of them")
  func negativeZeros() {
    let values = Tensor([Float](repeating: -0.0, count: 32), shape: [1, 32])
    #expect(
      bytes(of: values.roundedToBlocks(.q4_0)) == [0, 0x80] + [UInt8](repeating: 0x88, count: 16)
    )
    #expect(
      bytes(of: values.roundedToBlocks(.q4_1)) == [0, 0, 0, 0x80] + [UInt8](repeating: 0, count: 16)
    )
    #expect(bytes(of: values.roundedToBlocks(.q8_0)) == [UInt8](repeating: 0, count: 34))
  }

  @Test("keep the sign of the first of several zeros", arguments: [Float(0.0), -0.0])
  func firstZero(_ first: Float) {
    for top in [0, 1] as [Float] {
      var values = [Float](repeating: -first, count: 32)
      values[0] = first
      values[20] = top
      let packed = bytes(of: Tensor(values, shape: [1, 32]).roundedToBlocks(.q4_1))
      // The scale of zeros alone is zero minus itself: positive, whichever comes first.
      let scale = top == 0 ? [0, 0] : littleEndian(Float16(Float(1) / 15).bitPattern)
      #expect(Array(packed[0..<4]) == scale + [0, first.sign == .minus ? 0x80 : 0])
    }
  }

  @Test("have sizes only for whole rows of blocks")
  func sizes() {
    #expect(BlockFormat.q4_0.rowByteCount(columns: 576) == 324)
    #expect(BlockFormat.q4_K.rowByteCount(columns: 576) == nil)
    #expect(BlockFormat.q6_K.rowByteCount(columns: 0) == 0)
  }
}
