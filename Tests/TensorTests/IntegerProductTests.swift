import CKernels
import Foundation
import Tensor
import TestSupport
import Testing

@Suite("Integer product")
struct IntegerProductTests {
  /// Rows, outputs, depth, group size: tiles of 2 × 16, 6 × 16 and 8 × 48, dot products of few rows,
  /// pieces of 640 columns, groups that are no whole words, a last group that is shorter.
  static let cases: [(Int, Int, Int, Int)] = [
    (1, 1, 1, 1), (16, 7, 5, 5), (20, 50, 33, 33), (70, 100, 1283, 1283), (33, 97, 256, 64),
    (16, 20, 8192, 8192), (3, 9, 8192, 8192), (40, 64, 330, 40), (17, 30, 100, 7),
    (5, 30, 100, 7), (5, 64, 1536, 128), (50, 65, 1540, 32), (1000, 20, 2000, 128),
  ]

  @Test(
    "of every instruction set is that of exact integers, bit by bit, on any number of threads",
    arguments: cases,
    [false, true]
  )
  func exactness(extents: (Int, Int, Int, Int), isExtreme: Bool) throws {
    let (rows, outputs, depth, group) = extents
    let sample = Sample(
      rows: rows,
      outputs: outputs,
      depth: depth,
      group: group,
      isExtreme: isExtreme
    )
    let expected = sample.naiveProduct()
    var names: [String] = []
    while let variant = slm_integer_variant_at(Int32(names.count)) {
      let name = String(cString: variant.pointee.name)
      for threads: Int32 in [1, 2, 7] {
        #expect(
          sample.product(variant, threads: threads) == expected,
          "\(name) on \(threads) threads"
        )
      }
      names.append(name)
    }
    #expect(names.suffix(2) == ["portable", "VNNI emulated"])
  }

  @Test("rounds rows to the nearest code, ties to even, by absolute maximum or a given scale")
  func rounding() {
    var codes = [Int8](repeating: 0, count: 20)
    var x = [Float](repeating: 0, count: 20)
    x.replaceSubrange(0..<8, with: [127, -127, 0.5, 1.5, 2.5, -0.5, -1.5, 126.4])
    x[19] = -3.5
    #expect(slm_integer_round(x, 20, 0, &codes) == 1)
    #expect(codes[0..<8] == [127, -127, 0, 2, 2, 0, -2, 126] && codes[19] == -4)
    #expect(slm_integer_round(x, 20, 0.5, &codes) == 0.5)
    #expect(codes[0..<8] == [127, -128, 1, 3, 5, -1, -3, 127] && codes[19] == -7)
    #expect(slm_integer_round([Float](repeating: 0, count: 20), 20, 0, &codes) == 0)
    #expect(codes.allSatisfy { $0 == 0 })
    x[3] = .infinity
    #expect(slm_integer_round(x, 20, 0, &codes).isNaN)
    x[3] = .nan
    #expect(slm_integer_round(x, 20, 2, &codes).isNaN)
  }

  @Test("equals the plain product of rounded numbers, for every kind of codes", arguments: [1, 40])
  func kinds(rows: Int) {
    var random = Random(seed: 4)
    let x = random.normal([rows, 320])
    let bias = random.normal([37])
    let bytes = (0..<37 * 340).map { _ in UInt8(truncatingIfNeeded: random.next()) & 0x3F }
    var kinds = [
      StoredMatrix(random.normal([37, 320], deviation: 40).converted(to: .int8)),
      StoredMatrix(blocks: Tensor(bytes, shape: [37, 340]), format: .q8_0, columns: 320),
      StoredMatrix(
        blocks: Tensor(Array(bytes.prefix(37 * 180)), shape: [37, 180]),
        format: .q4_0,
        columns: 320
      ),
    ]
    for bits in [2, 3, 4, 7, 8] {
      kinds.append(
        Grid.symmetric
          .sample(bits: bits, outputs: 37, depth: 320, groupSize: 20, &random).matrix
      )
    }
    for scale in [nil, 0.01] as [Float?] {
      let rounded = x.roundedToEightBits(scale: scale)
      for weight in kinds {
        #expect(weight.hasIntegerCodes)
        let y = x.multipliedInIntegers(by: weight, bias: bias, scale: scale)
        let expected = Reference.product(rounded, weight.widened(), bias: bias)
        let size = Double(weight.widened().largestMagnitude())
        #expect(difference(y.numbers, expected, relative: 1e-5, absolute: 1e-4 * size) == nil)
      }
    }
    let others = [Grid.zeroPoints, .offsets].map {
      $0.sample(bits: 8, outputs: 3, depth: 320, groupSize: 32, &random).matrix
    }
    #expect(others.map(\.hasIntegerCodes) == [false, false])
    #expect(!StoredMatrix(random.normal([3, 320])).hasIntegerCodes)
  }

  @Test("of some rows is that part of the product of all, bit by bit")
  func batches() {
    var random = Random(seed: 5)
    let x = random.normal([40, 600])
    let weight = Grid.symmetric
      .sample(bits: 8, outputs: 50, depth: 600, groupSize: 128, &random).matrix
    let whole = x.multipliedInIntegers(by: weight).numbers
    let parts = [0..<1, 1..<10, 10..<40].flatMap {
      x.rows($0).multipliedInIntegers(by: weight).numbers
    }
    #expect(whole == parts)
  }

  @Test("of saturated codes is exact")
  func saturation() {
    for rows in [3, 30] {
      let x = Tensor([Float](repeating: -1000, count: rows * 1024), shape: [rows, 1024])
      for code: UInt8 in [0, 255] {
        let weight = StoredMatrix(
          codes: Tensor([UInt8](repeating: code, count: 2048), shape: [2, 1024]),
          bits: 8,
          groupSize: 1024,
          scales: Tensor([1, 2] as [Float], shape: [2, 1]),
          columns: 1024
        )
        let sum = Double(-128 * (Int(code) - 128) * 1024)
        let y = x.multipliedInIntegers(by: weight, scale: 0.5).numbers
        #expect(y == (0..<rows).flatMap { _ in [sum / 2, sum] })
      }
    }
  }

  @Test("keeps infinite and missing numbers in their rows")
  func special() {
    var random = Random(seed: 6)
    let weight = Grid.symmetric
      .sample(bits: 8, outputs: 5, depth: 64, groupSize: 64, &random).matrix
    for rows in [4, 30] {
      var x = random.normal([rows, 64]).elements(as: Float.self)
      x[70] = .infinity
      x[130] = .nan
      for scale in [nil, 0.1] as [Float?] {
        let y = Tensor(x, shape: [rows, 64]).multipliedInIntegers(by: weight, scale: scale)
        for (index, value) in y.numbers.enumerated() {
          #expect(value.isNaN == [1, 2].contains(index / 5))
        }
      }
    }
  }

  @Test("passes gradients straight through")
  func gradients() throws {
    var random = Random(seed: 7)
    let x = Parameter("x", random.normal([20, 64]))
    let weight = Grid.symmetric
      .sample(bits: 8, outputs: 5, depth: 64, groupSize: 32, &random).matrix
    let dy = random.normal([20, 5])
    func gradient(_ product: (Tensor) -> Tensor) -> [Double]? {
      let result = differentiate([x]) { (product(x.value) * dy).summed() }
      return result.gradients[x]?.numbers
    }
    let plain = try #require(gradient { $0.multiplied(by: weight) })
    #expect(plain.contains { $0 != 0 })
    let integer = gradient { $0.multipliedInIntegers(by: weight) }
    #expect(integer == plain)
    let rounded = gradient { $0.roundedToEightBits().multiplied(by: weight) }
    #expect(rounded == plain)
  }
}

/// Random factors, or factors of the largest magnitudes only.
private struct Sample {
  let (rows, outputs, depth, group): (Int, Int, Int, Int)
  var groups: Int { (depth + group - 1) / group }
  let x: [Float]
  let codes: [UInt8]
  let scales: [Float]
  let bias: [Float]

  init(rows: Int, outputs: Int, depth: Int, group: Int, isExtreme: Bool) {
    (self.rows, self.outputs, self.depth, self.group) = (rows, outputs, depth, group)
    var random = Random(seed: UInt64(rows * depth))
    x =
      isExtreme
      ? (0..<rows * depth).map { $0 / depth % 2 == 0 ? 1 : -1 }
      : random.normal([rows * depth]).elements(as: Float.self)
    codes = (0..<outputs * depth).map { index in
      isExtreme ? (index / depth % 2 == 0 ? 0 : 255) : UInt8(truncatingIfNeeded: random.next())
    }
    let groups = (depth + group - 1) / group
    scales = random.uniform([outputs * groups], in: 0.001..<0.1).elements(as: Float.self)
    bias = random.normal([outputs]).elements(as: Float.self)
  }

  /// The product by definition.
  func naiveProduct() -> [Float] {
    var y: [Float] = []
    for i in 0..<rows {
      let row = x[i * depth..<(i + 1) * depth]
      let scale = (row.map(abs).max() ?? 0) / 127
      let rounded = row.map { Int32(($0 / scale).rounded(.toNearestOrEven)) }
      for n in 0..<outputs {
        var total: Float = 0
        for g in 0..<groups {
          var sum: Int32 = 0
          for k in g * group..<min(depth, (g + 1) * group) {
            sum += rounded[k] * (Int32(codes[n * depth + k]) - 128)
          }
          total += Float(sum) * scales[n * groups + g]
        }
        let product = total * scale
        y.append(product + bias[n])
      }
    }
    return y
  }

  func product(
    _ variant: UnsafePointer<slm_integer_variant>,
    threads: Int32
  ) -> [Float] {
    var y = [Float](repeating: .nan, count: rows * outputs)
    codes.withUnsafeBufferPointer { codes in
      scales.withUnsafeBufferPointer { scales in
        var matrix = slm_matrix()
        matrix.storage = Int32(SLM_CODES.rawValue)
        matrix.rows = Int64(outputs)
        matrix.columns = Int64(depth)
        matrix.data = UnsafeRawPointer(codes.baseAddress)
        matrix.row_bytes = Int64(depth)
        matrix.bits = 8
        matrix.group = Int64(group)
        matrix.groups = Int64(groups)
        matrix.scales = UnsafeRawPointer(scales.baseAddress)
        matrix.scale_type = Int32(SLM_FLOAT32.rawValue)
        withUnsafePointer(to: matrix) { matrix in
          x.withUnsafeBufferPointer { x in
            bias.withUnsafeBufferPointer { bias in
              y.withUnsafeMutableBufferPointer { y in
                var product = slm_integer(
                  rows: Int64(rows),
                  outputs: Int64(outputs),
                  depth: Int64(depth),
                  x: x.baseAddress,
                  x_step: Int64(depth),
                  scale: 0,
                  weight: matrix,
                  bias: bias.baseAddress,
                  y: y.baseAddress,
                  y_step: Int64(outputs)
                )
                let packed = UnsafeMutableRawPointer.allocate(
                  byteCount: slm_integer_bytes(&product, variant),
                  alignment: 64
                )
                slm_integer_product(&product, variant, packed, threads)
                packed.deallocate()
              }
            }
          }
        }
      }
    }
    return y
  }
}
