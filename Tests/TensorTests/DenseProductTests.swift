import CKernels
import Tensor
import TestSupport
import Testing

@Suite("Dense product")
struct DenseProductTests {
  /// Extents that do and do not divide by tiles of 6 × 16 and 8 × 48, pieces of 320 words and spans.
  static let extents = [
    (1, 1, 1), (2, 3, 5), (6, 16, 32), (8, 48, 64), (7, 50, 33), (97, 31, 650), (50, 49, 1283),
    (200, 20, 17), (20, 200, 18),
  ]

  @Test(
    "of every instruction set equals the plain product of rounded factors",
    arguments: extents,
    [false, true]
  )
  func variants(extents: (Int, Int, Int), pairs: Bool) throws {
    let (rows, columns, depth) = extents
    var random = Random(seed: UInt64(rows * columns))
    let (a, b) = (random.normal([rows, depth]), random.normal([columns, depth]))
    let (bias, start) = (random.normal([columns]), random.normal([rows, columns]))
    let plain =
      pairs
      ? Reference.product(rounded(a), rounded(b)) : Reference.product(a, b)
    // Sums of `depth` terms of deviation 1, each rounded to 24 bits.
    let budget = 4e-6 * Double(depth).squareRoot()
    var index: Int32 = 0
    while let variant = slm_dense_variant_at(pairs, index) {
      for layout in 0..<4 {
        let factors = (Factor(a, across: layout & 1 != 0), Factor(b, across: layout & 2 != 0))
        func product(_ adds: Bool, threads: Int32) -> [Double] {
          multiply(factors, depth, bias, adds ? start : nil, variant, threads: threads)
        }
        let expected = plain.indices.map { plain[$0] + Double(bias.numbers[$0 % columns]) }
        let y = product(false, threads: 1)
        #expect(difference(y, expected, absolute: budget) == nil)
        let sum = zip(expected, start.numbers).map { $0 + $1 }
        #expect(difference(product(true, threads: 1), sum, absolute: budget) == nil)
        #expect(product(false, threads: 2) == y && product(false, threads: 7) == y)
      }
      index += 1
    }
    #expect(index >= 1)
  }

  @Test("of bfloat16 pairs rounds ties to even, keeps NaN and infinity and flushes tiny numbers")
  func rounding() throws {
    let tie = Float(bitPattern: 0x3F80_8000)  // between 1 and the next bfloat16: to 1
    let odd = Float(bitPattern: 0x3F81_8000)  // between two, the lower odd: up
    let x = Tensor([tie, odd, .infinity, .nan, Float(bitPattern: 0x0010_0000), 3], shape: [6, 1])
    let one = Tensor([Float(1)], shape: [1, 1])
    let variant = try #require(slm_dense_variant_at(true, 0))
    let y = multiply(
      (Factor(x, across: false), Factor(one, across: false)),
      1,
      Tensor([Float(0)]),
      nil,
      variant,
      threads: 1
    )
    #expect(y[0] == 1 && y[1] == Double(Float(bitPattern: 0x3F82_0000)) && y[2] == .infinity)
    #expect(y[3].isNaN && y[4] == 0 && y[5] == 3)
  }

  @Test("of a linear layer in bfloat16 is that of rounded factors where supported, else float32")
  func precision() {
    var random = Random(seed: 8)
    let (x, weight) = (random.normal([40, 96]), random.normal([30, 96]))
    let y = x.linear(weight: weight, precision: .bfloat16)
    let isSupported = ProductPrecision.bfloat16.isSupported
    let expected =
      isSupported ? Reference.product(rounded(x), rounded(weight)) : Reference.product(x, weight)
    #expect(difference(y.numbers, expected, absolute: 5e-5) == nil)
    #expect(isSupported == slm_has_bfloat16())
  }
}

/// A factor with its extents, its rows along memory or across.
private struct Factor {
  let elements: Tensor
  let extent: Int
  let across: Bool

  init(_ matrix: Tensor, across: Bool) {
    elements = across ? matrix.transposed() : matrix
    extent = matrix.shape[0]
    self.across = across
  }
}

private func rounded(_ x: Tensor) -> Tensor {
  x.converted(to: .bfloat16).converted(to: .float32)
}

/// Runs the kernel.
private func multiply(
  _ factors: (Factor, Factor),
  _ depth: Int,
  _ bias: Tensor,
  _ start: Tensor?,
  _ variant: UnsafePointer<slm_dense_variant>,
  threads: Int32
) -> [Double] {
  let (a, b) = factors
  var y = start?.copied() ?? Tensor([Float](repeating: .nan, count: a.extent * b.extent))
  func described(_ factor: Factor, _ base: UnsafePointer<Float>?) -> slm_factor {
    slm_factor(
      data: base,
      extent: Int64(factor.extent),
      step: Int64(factor.across ? 1 : depth),
      depth_step: Int64(factor.across ? factor.extent : 1)
    )
  }
  a.elements.withElements(as: Float.self) { first in
    b.elements.withElements(as: Float.self) { second in
      bias.withElements(as: Float.self) { bias in
        y.withMutableElements(as: Float.self) { y in
          var product = slm_dense()
          product.a = described(a, first.baseAddress)
          product.b = described(b, second.baseAddress)
          product.depth = Int64(depth)
          product.scale = 1
          product.bias = bias.baseAddress
          product.c = y.baseAddress
          product.c_step = Int64(b.extent)
          product.accumulate = start != nil
          let packed = UnsafeMutableRawPointer.allocate(
            byteCount: slm_dense_bytes(&product, variant),
            alignment: 64
          )
          slm_dense_product(&product, variant, packed, threads)
          packed.deallocate()
        }
      }
    }
  }
  return y.numbers
}
