import Foundation
import Tensor
import TestSupport
import Testing

@Suite("Casts")
struct CastTests {
  /// All bit patterns of 16 bits, as a tensor of the given type.
  private func patterns(_ dtype: DType) -> Tensor {
    Tensor((0...UInt16.max).map { $0 }).reinterpreted(as: dtype)
  }

  @Test("widen every float16 as Swift does")
  func float16() {
    let widened = patterns(.float16).converted(to: .float32).elements(as: Float.self)
    for (bits, value) in zip(0...UInt16.max, widened) {
      let expected = Float(Float16(bitPattern: bits))
      #expect(value == expected || (value.isNaN && expected.isNaN), "\(bits)")
    }
  }

  @Test("widen every bfloat16 by its bits")
  func bfloat16() {
    let widened = patterns(.bfloat16).converted(to: .float32).elements(as: Float.self)
    for (bits, value) in zip(0...UInt16.max, widened) {
      #expect(value.bitPattern == UInt32(bits) << 16)
    }
  }

  @Test(
    "give every number back after widening",
    arguments: [DType.float16, .bfloat16, .float8E4M3, .float8E5M2],
    [DType.float32, .float64]
  )
  func roundTrip(narrow: DType, wide: DType) {
    let source =
      narrow.byteCount == 2
      ? patterns(narrow) : Tensor((0...UInt8.max).map { $0 }).reinterpreted(as: narrow)
    let widened = source.converted(to: wide)
    let back = widened.converted(to: narrow)
    let values = widened.numbers
    source.withBytes { before in
      back.withBytes { after in
        for index in 0..<source.count where !values[index].isNaN {
          let range = index * narrow.byteCount..<(index + 1) * narrow.byteCount
          #expect(before[range].elementsEqual(after[range]))
        }
      }
    }
    let again = back.numbers
    for (index, value) in values.enumerated() { #expect(value.isNaN == again[index].isNaN) }
  }

  @Test("round to float16 once, to the nearest, as Swift does")
  func narrowing() {
    var random = Random(seed: 1)
    var values = (0..<200_000).map { _ in
      Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
    }
    // Halfway points between neighbours, just above and just below.
    for bits in stride(from: UInt16(0), to: 0x7C00, by: 7) {
      let low = Float(Float16(bitPattern: bits))
      let middle = (low + Float(Float16(bitPattern: bits + 1))) / 2
      if middle.isFinite { values += [middle, middle.nextUp, middle.nextDown, -middle] }
    }
    values += [65519.996, 65520, -65520, 1e30, .infinity, -.infinity, .nan, 0, -0.0]
    let narrowed = Tensor(values).converted(to: .float16).converted(to: .float32)
      .elements(as: Float.self)
    for (value, result) in zip(values, narrowed) {
      let expected = Float(Float16(value))
      #expect(
        result.bitPattern == expected.bitPattern || (result.isNaN && expected.isNaN),
        "\(value)"
      )
    }
    let doubles = values.map { Double($0) * (1 + 0x1p-40) }
    let fromDoubles = Tensor(doubles).converted(to: .float16).converted(to: .float32)
      .elements(as: Float.self)
    for (value, result) in zip(doubles, fromDoubles) {
      let expected = Float(Float16(value))
      #expect(result == expected || (result.isNaN && expected.isNaN), "\(value)")
    }
  }

  @Test(
    "round to the nearest of all numbers of the type, ties to even",
    arguments: [DType.bfloat16, .float8E4M3, .float8E5M2]
  )
  func nearest(dtype: DType) {
    let count = dtype.byteCount == 2 ? 0x7F80 : dtype == .float8E4M3 ? 0x7F : 0x7C
    let codes =
      dtype.byteCount == 2
      ? Tensor((0..<UInt16(count)).map { $0 }).reinterpreted(as: dtype)
      : Tensor((0..<UInt8(count)).map { $0 }).reinterpreted(as: dtype)
    let values = codes.numbers
    var (inputs, expected) = ([Double](), [Double]())
    for index in 0..<count - 1 {
      let (low, high) = (values[index], values[index + 1])
      let middle = (low + high) / 2
      inputs += [middle, middle.nextUp, middle.nextDown, -middle]
      let even = index % 2 == 0 ? low : high
      expected += [even, high, low, -even]
    }
    #expect(difference(Tensor(inputs).converted(to: dtype).numbers, expected) == nil)
    // From float32 where the halfway point is one.
    let exact = zip(inputs, expected).filter { Double(Float($0.0)) == $0.0 }
    #expect(
      difference(
        Tensor(exact.map { Float($0.0) }).converted(to: dtype).numbers,
        exact.map(\.1)
      ) == nil
    )
  }

  @Test("overflow to infinity, or to the largest number where there is none")
  func overflow() {
    let large = Tensor([464, 465, 1e9, -1e9, .infinity, .nan] as [Float])
    let e4m3 = large.converted(to: .float8E4M3).numbers
    #expect(e4m3[..<5] == [448, 448, 448, -448, 448] && e4m3[5].isNaN)
    let e5m2 = Tensor([61439, 61440, -1e9, .infinity] as [Float]).converted(to: .float8E5M2).numbers
    #expect(e5m2 == [57344, .infinity, -.infinity, .infinity])
    let bfloat = Tensor([Float.greatestFiniteMagnitude, -.greatestFiniteMagnitude])
      .converted(to: .bfloat16).numbers
    #expect(bfloat == [.infinity, -.infinity])
  }

  @Test("to integers drop fractions and keep to the range")
  func integers() {
    let values = Tensor([1.9, -1.9, 300, -300, .nan, .infinity, 0] as [Float])
    #expect(values.converted(to: .int8).elements(as: Int8.self) == [1, -1, 127, -128, 0, 127, 0])
    #expect(values.converted(to: .uint8).elements(as: UInt8.self) == [1, 0, 255, 0, 0, 255, 0])
    #expect(values.converted(to: .int64).elements(as: Int64.self)[5] == .max)
    #expect(
      values.converted(to: .bool).withBytes { Array($0) } == [1, 1, 1, 1, 1, 1, 0]
    )
    let wide = Tensor([Int64.max, .min, 5, 1 << 40])
    #expect(wide.converted(to: .int32).elements(as: Int32.self) == [.max, .min, 5, .max])
    #expect(wide.converted(to: .float64).elements(as: Double.self)[3] == 0x1p40)
    #expect(
      Tensor([UInt64.max, 3]).converted(to: .uint64).elements(as: UInt64.self) == [.max, 3]
    )
  }

  @Test("of odd lengths and unaligned views convert every element")
  func views() {
    for length in [1, 15, 255, 256, 257, 70_001] {
      let source = Tensor((0..<length + 1).map { Int32($0 % 2000 - 1000) })
      let part = source.rows(1..<length + 1)
      let expected = (1...length).map { Double($0 % 2000 - 1000) }
      #expect(part.converted(to: .float32).numbers == expected)
      #expect(part.converted(to: .int16).converted(to: .float16).numbers == expected)
    }
  }
}
