import Tensor
import TestSupport
import Testing

@Suite("Matrix product")
struct MatrixProductTests {
  @Test(
    "equals the plain product for either side transposed",
    arguments: [DType.float32, .float64],
    [(1, 1, 1), (5, 7, 9), (48, 96, 32), (50, 101, 130), (97, 33, 1100), (3, 200, 17)]
  )
  func transposes(dtype: DType, extents: (Int, Int, Int)) {
    let (m, n, k) = extents
    var random = Random(seed: UInt64(m * n))
    let (a, b) = (random.normal([m, k], dtype: dtype), random.normal([n, k], dtype: dtype))
    let sum = random.normal([m, n], dtype: dtype)
    let plain = Reference.product(a, b)
    let budget = dtype == .float32 ? 4e-6 * Double(k).squareRoot() : 1e-11
    for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
      let left = first ? a.transposed() : a
      let right = second ? b : b.transposed()
      let y = matrixProduct(left, right, firstTransposed: first, secondTransposed: second)
      #expect(difference(y.numbers, plain, absolute: budget) == nil)
      let added = matrixProduct(
        left,
        right,
        firstTransposed: first,
        secondTransposed: second,
        alpha: -0.5,
        accumulated: sum
      )
      let expected = zip(plain, sum.numbers).map { -0.5 * $0 + $1 }
      #expect(difference(added.numbers, expected, absolute: budget) == nil)
    }
  }

  @Test(
    "of columns is the lower triangle of the product of the transpose",
    arguments: [1, 48, 101, 130]
  )
  func columns(count: Int) {
    var random = Random(seed: 77)
    let x = random.normal([130, count])
    let columns = x.transposed()
    let expected = Reference.product(columns, columns)
    let products = x.columnProducts()
    #expect(products.shape == [count, count])
    let found = products.numbers
    for row in 0..<count {
      let places = row * count...row * count + row
      #expect(difference(Array(found[places]), Array(expected[places]), absolute: 2e-4) == nil)
    }
  }
}
