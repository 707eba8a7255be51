import Foundation
import Tensor
import TestSupport
import Testing

/// Extents that do and do not divide by the kernels' tiles of 48 rows, 96 outputs and 16 lanes.
private let extents: [(rows: Int, outputs: Int, depth: Int)] = [
  (1, 1, 1), (1, 5, 17), (2, 96, 64), (3, 7, 31), (4, 33, 256), (7, 13, 100), (9, 8, 16),
  (16, 97, 48), (31, 1, 33), (48, 96, 128), (49, 100, 65), (65, 192, 576), (96, 31, 1025),
  (130, 145, 1540), (1, 50, 2309), (100, 3, 2560),
]

@Suite("Product with a stored matrix")
struct StoredProductTests {
  @Test("equals the plain product for every extent", arguments: extents)
  func plain(rows: Int, outputs: Int, depth: Int) {
    var random = Random(seed: UInt64(rows + 1000 * outputs))
    let x = random.normal([rows, depth])
    let weight = random.normal([outputs, depth])
    let bias = random.normal([outputs])
    let budget = 6e-6 * Double(depth).squareRoot()
    let y = x.multiplied(by: StoredMatrix(weight), bias: bias)
    #expect(y.shape == [rows, outputs])
    #expect(
      difference(y.numbers, Reference.product(x, weight, bias: bias), absolute: budget) == nil
    )
  }

  @Test(
    "equals the product with the widened weight for every dtype",
    arguments: [DType.float16, .bfloat16, .float8E4M3, .float8E5M2, .int8, .float64],
    [1, 6, 50]
  )
  func elements(dtype: DType, rows: Int) {
    var random = Random(seed: 3)
    let x = random.normal([rows, 300])
    let weight = random.normal([101, 300], deviation: dtype == .int8 ? 40 : 1)
      .converted(to: dtype)
    let y = x.multiplied(by: StoredMatrix(weight))
    let expected = Reference.product(x, weight)
    #expect(
      difference(y.numbers, expected, relative: 1e-5, absolute: dtype == .int8 ? 3e-3 : 5e-5) == nil
    )
  }

  @Test(
    "equals the product with the values of the codes",
    arguments: 2...8,
    [Grid.symmetric, .zeroPoints, .offsets]
  )
  func codes(bits: Int, grid: Grid) {
    var random = Random(seed: UInt64(bits))
    let (outputs, depth, groupSize) = (37, 333, 40)
    let sample = grid.sample(
      bits: bits,
      outputs: outputs,
      depth: depth,
      groupSize: groupSize,
      &random
    )
    #expect(difference(sample.matrix.widened(), sample.values) == nil)
    for rows in [1, 5, 60] {
      let x = random.normal([rows, depth])
      let y = x.multiplied(by: sample.matrix)
      let expected = Reference.product(x, sample.values)
      #expect(difference(y.numbers, expected, relative: 1e-5, absolute: 1e-3) == nil)
    }
  }

  @Test("equals the product with the widened blocks", arguments: BlockFormat.allCases, [1, 50])
  func blocks(format: BlockFormat, rows: Int) {
    var random = Random(seed: 11)
    let columns = 1536
    let byteCount = columns / format.blockLength * format.blockByteCount
    // Exponents of random scales would overflow; clearing their top bits keeps them small.
    let bytes = (0..<40 * byteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) & 0x3F }
    let matrix = StoredMatrix(
      blocks: Tensor(bytes, shape: [40, byteCount]),
      format: format,
      columns: columns
    )
    let values = matrix.widened()
    let x = random.normal([rows, columns])
    let y = x.multiplied(by: matrix)
    let scale = values.largestMagnitude()
    let expected = Reference.product(x, values)
    // One row is rounded to 16 bits.
    let budget = (rows == 1 ? 2e-3 : 2e-4) * scale
    #expect(difference(y.numbers, expected, relative: 1e-5, absolute: budget) == nil)
    #expect(scale > 0 && scale.isFinite)
  }

  @Test(
    "of few rows differs from the product in float64 by no more than 16 bits of the rows",
    arguments: BlockFormat.allCases,
    1...5
  )
  func fewRowsOfBlocks(format: BlockFormat, rows: Int) {
    var random = Random(seed: 21)
    for (outputs, blocks) in [(1, 1), (2, 3), (7, 2), (37, 5)] {
      let sample = RandomBlocks(format, outputs: outputs, blocks: blocks, &random)
      let x = random.normal([rows, sample.matrix.columns])
      let bias = random.normal([outputs], deviation: 0.01)
      let y = x.multiplied(by: sample.matrix, bias: bias).elements(as: Float.self)
      let (numbers, values) = (x.numbers, sample.matrix.widened().numbers)
      let (added, columns) = (bias.numbers, sample.matrix.columns)
      for (index, result) in y.enumerated() {
        let (row, output) = (index / outputs, index % outputs)
        let terms = (0..<columns).map {
          numbers[row * columns + $0] * values[output * columns + $0]
        }
        let magnitude = terms.reduce(abs(added[output])) { $0 + abs($1) }
        var rounding: Double = 0
        for start in stride(from: 0, to: columns, by: 32) {
          var largest: Double = 0
          var sum: Double = 0
          for column in start..<start + 32 {
            largest = max(largest, abs(numbers[row * columns + column]))
            sum += abs(values[output * columns + column])
          }
          rounding += sum * largest / 65534
        }
        let error = abs(Double(result) - terms.reduce(added[output], +))
        #expect(
          error <= rounding + 1e-6 * magnitude,
          "\(outputs) outputs, output \(output) of row \(row)"
        )
      }
    }
  }

  @Test("of few rows with blocks is exact for rows of small whole numbers", arguments: [1, 4])
  func wholeNumbers(rows: Int) {
    var random = Random(seed: 27)
    let sample = RandomBlocks(.q4_0, outputs: 9, blocks: 4, &random)
    // With 32767 in every block the scale is one.
    var numbers: [Float] = []
    for index in 0..<rows * 128 {
      let small = index * 37 % 201 - 100
      numbers.append(index % 32 == 7 ? 32767 : Float(small))
    }
    let x = Tensor(numbers, shape: [rows, 128])
    let expected = Reference.product(x, sample.matrix.widened())
    let y = x.multiplied(by: sample.matrix)
    #expect(difference(y.numbers, expected, relative: 1e-6, absolute: 1e-6 * 32767) == nil)
  }

  @Test(
    "of few rows with blocks is zero for zeros and not finite where a row is not",
    arguments: BlockFormat.allCases
  )
  func specialRows(format: BlockFormat) {
    var random = Random(seed: 28)
    let sample = RandomBlocks(format, outputs: 5, blocks: 2, &random)
    let columns = sample.matrix.columns
    var numbers = Array(repeating: Float.zero, count: 3 * columns)
    numbers[columns + 3] = .infinity
    numbers[3 * columns - 1] = .nan
    let y = Tensor(numbers, shape: [3, columns]).multiplied(by: sample.matrix).numbers
    #expect(y[..<5].allSatisfy { $0 == 0 })
    #expect(y[5...].allSatisfy { !$0.isFinite })
  }

  @Test("with several weights at once is bit by bit what each gives alone", arguments: [1, 4, 20])
  func severalWeights(rows: Int) {
    var random = Random(seed: 25)
    let x = random.normal([rows, 512])
    let dense = StoredMatrix(random.normal([9, 512]))
    let weights: [(matrix: StoredMatrix, bias: Tensor?)] =
      [(BlockFormat.q4_0, 301), (.q8_0, 6), (.q4_0, 1)].map { format, outputs in
        let blocks = 512 / format.blockLength
        let sample = RandomBlocks(format, outputs: outputs, blocks: blocks, &random)
        return (sample.matrix, outputs == 6 ? random.normal([6]) : nil)
      } + [(dense, nil)]
    let together = x.multiplied(byAll: weights)
    #expect(together.map(\.shape) == weights.map { [rows, $0.matrix.rows] })
    for (result, weight) in zip(together, weights) {
      #expect(result.numbers == x.multiplied(by: weight.matrix, bias: weight.bias).numbers)
    }
  }

  @Test(
    "with blocks is the same bit by bit on one thread as on all",
    arguments: BlockFormat.allCases
  )
  func threadsOfBlocks(format: BlockFormat) {
    var random = Random(seed: 22)
    let sample = RandomBlocks(
      format,
      outputs: 1025,
      blocks: 1536 / format.blockLength,
      &random
    )
    let x = random.normal([1, 1536])
    let together = x.multiplied(by: sample.matrix).numbers
    #expect(x.multiplied(by: sample.matrix).numbers == together)
    let differs = Flag()
    parallelRanges(2) { _ in
      if x.multiplied(by: sample.matrix).numbers != together { differs.raise() }
    }
    #expect(!differs.isRaised)
    let part = x.multiplied(by: sample.matrix.rows(3..<700)).numbers
    #expect(part == Array(together[3..<700]))
  }

  @Test("of float64 agrees with float32")
  func double() {
    var random = Random(seed: 5)
    let x = random.normal([10, 64], dtype: .float64)
    let weight = random.normal([20, 64])
    let bias = random.normal([20], dtype: .float64)
    let y = x.multiplied(by: StoredMatrix(weight), bias: bias)
    #expect(y.dtype == .float64)
    #expect(
      difference(y.numbers, Reference.product(x, weight, bias: bias), absolute: 1e-12) == nil
    )
  }

  @Test("of a view of rows is that part of the product")
  func views() {
    var random = Random(seed: 6)
    let x = random.normal([2, 5, 64])
    for grid in [Grid.symmetric, .zeroPoints, .offsets] {
      let sample = grid.sample(bits: 5, outputs: 30, depth: 64, groupSize: 16, &random)
      let whole = x.multiplied(by: sample.matrix)
      let part = x.multiplied(by: sample.matrix.rows(7..<22))
      #expect(part.shape == [2, 5, 15])
      #expect(difference(part, whole.columns(7..<22), absolute: 1e-5) == nil)
    }
  }

  @Test("of an infinite or missing number stays so in its row only")
  func special() {
    var elements = [Float](repeating: 1, count: 50 * 20)
    elements[3 * 20 + 4] = .nan
    elements[5 * 20 + 4] = .infinity
    let x = Tensor(elements, shape: [50, 20])
    let y = x.multiplied(
      by: StoredMatrix(Tensor([Float](repeating: 1, count: 60), shape: [3, 20]))
    )
    for (index, value) in y.elements(as: Float.self).enumerated() {
      #expect(value.isNaN == (index / 3 == 3))
      #expect((value == .infinity) == (index / 3 == 5))
    }
  }

  @Test("is the same bit by bit on one thread as on all", arguments: [1, 12, 200])
  func threads(rows: Int) {
    var random = Random(seed: 9)
    let sample = Grid.symmetric.sample(
      bits: 4,
      outputs: 700,
      depth: 1300,
      groupSize: 64,
      &random
    )
    let x = random.normal([rows, 1300])
    let together = x.multiplied(by: sample.matrix).numbers
    // A loop inside another one runs on one thread.
    let differs = Flag()
    parallelRanges(2) { _ in
      if x.multiplied(by: sample.matrix).numbers != together { differs.raise() }
    }
    #expect(!differs.isRaised)
  }

  @Test("of no inputs is the bias")
  func empty() {
    let weight = StoredMatrix(Tensor(zeros: [3, 0]))
    let x = Tensor(zeros: [2, 0])
    #expect(x.multiplied(by: weight).numbers == [0, 0, 0, 0, 0, 0])
    let bias = Tensor([1, 2, 3] as [Float])
    #expect(x.multiplied(by: weight, bias: bias).numbers == [1, 2, 3, 1, 2, 3])
  }

  @Test("of rows looked up equals the widened rows")
  func gathered() {
    var random = Random(seed: 8)
    let sample = Grid.zeroPoints.sample(bits: 4, outputs: 30, depth: 50, groupSize: 32, &random)
    let ids: [Int32] = [29, 0, 7, 7, 12]
    #expect(
      difference(sample.matrix.gathered(rows: ids), sample.values.gathered(rows: ids)) == nil
    )
    #expect(difference(sample.matrix.widened(rows: 4..<9), sample.values.rows(4..<9)) == nil)
  }
}

/// Blocks whose every byte is random, but for the scales in half precision, which stay near one.
private struct RandomBlocks {
  let matrix: StoredMatrix

  init(_ format: BlockFormat, outputs: Int, blocks: Int, _ random: inout Random) {
    let halves: [Int] =
      switch format {
      case .q4_1, .q5_1, .q4_K, .q5_K: [0, 2]
      case .q2_K: [80, 82]
      case .q3_K: [108]
      case .q6_K: [208]
      default: [0]
      }
    var bytes: [UInt8] = []
    for _ in 0..<outputs * blocks {
      var block = (0..<format.blockByteCount).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      // A sign, an exponent from -3 to 0, and any fraction.
      for at in halves { block[at + 1] = block[at + 1] & 0x8F | 0x30 }
      bytes += block
    }
    matrix = StoredMatrix(
      blocks: Tensor(bytes, shape: [outputs, blocks * format.blockByteCount]),
      format: format,
      columns: blocks * format.blockLength
    )
  }
}

/// What any of several threads may raise.
private final class Flag: @unchecked Sendable {
  private let lock = NSLock()
  private var raised = false
  var isRaised: Bool { lock.withLock { raised } }
  func raise() { lock.withLock { raised = true } }
}

/// The three ways in which codes become values.
enum Grid: Sendable, CaseIterable {
  case symmetric, zeroPoints, offsets

  /// A random matrix of codes, and its values by definition.
  func sample(bits: Int, outputs: Int, depth: Int, groupSize: Int, _ random: inout Random) -> (
    matrix: StoredMatrix, values: Tensor
  ) {
    let groups = (depth + groupSize - 1) / groupSize
    let codes = (0..<outputs * depth).map { _ in random.index(below: 1 << bits) }
    let rowBytes = (depth * bits + 7) / 8
    var bytes = [UInt8](repeating: 0, count: outputs * rowBytes)
    for (index, code) in codes.enumerated() {
      for bit in 0..<bits where code >> bit & 1 == 1 {
        let position = index % depth * bits + bit
        bytes[index / depth * rowBytes + position / 8] |= 1 << (position % 8)
      }
    }
    let scales = random.uniform([outputs, groups], in: 0.01..<0.02).converted(to: .float16)
    let zeros = (0..<outputs * groups).map { _ in UInt8(random.index(below: 1 << bits)) }
    let offsets = random.normal([outputs, groups], deviation: 0.1)
    let (s, o) = (
      scales.converted(to: .float32).elements(as: Float.self), offsets.elements(as: Float.self)
    )
    let values = codes.enumerated().map { index, code -> Float in
      let group = index / depth * groups + index % depth / groupSize
      return switch self {
      case .symmetric: s[group] * Float(code - (1 << (bits - 1)))
      case .zeroPoints: s[group] * Float(code - Int(zeros[group]))
      case .offsets: s[group] * Float(code) + o[group]
      }
    }
    let matrix = StoredMatrix(
      codes: Tensor(bytes, shape: [outputs, rowBytes]),
      bits: bits,
      groupSize: groupSize,
      scales: scales,
      zeroPoints: self == .zeroPoints ? Tensor(zeros, shape: [outputs, groups]) : nil,
      offsets: self == .offsets ? offsets : nil,
      columns: depth
    )
    return (matrix, Tensor(values, shape: [outputs, depth]))
  }
}
