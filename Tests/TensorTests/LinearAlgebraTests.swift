import Tensor
import TestSupport
import Testing

@Suite("Linear algebra")
struct LinearAlgebraTests {
  private func positiveDefinite(_ size: Int, _ dtype: DType) -> Tensor {
    var random = Random(seed: UInt64(size))
    let a = random.normal([size, size + 5], dtype: dtype)
    let identity = Tensor(
      (0..<size * size).map { $0 / size == $0 % size ? 1.0 : 0.0 },
      shape: [size, size]
    )
    return matrixProduct(
      a,
      a,
      secondTransposed: true,
      accumulated: identity.converted(to: dtype)
    )
  }

  @Test(
    "factors multiply back to the matrix",
    arguments: [1, 2, 17, 100],
    [DType.float32, .float64]
  )
  func cholesky(size: Int, dtype: DType) throws {
    let matrix = positiveDefinite(size, dtype)
    let budget = (dtype == .float32 ? 2e-6 : 1e-14) * matrix.largestMagnitude() * 4
    let lower = try matrix.choleskyFactor()
    #expect(
      difference(matrixProduct(lower, lower, secondTransposed: true), matrix, absolute: budget)
        == nil
    )
    let upper = try matrix.choleskyFactor(isUpper: true)
    #expect(
      difference(matrixProduct(upper, upper, firstTransposed: true), matrix, absolute: budget)
        == nil
    )
    #expect(difference(upper.transposed(), lower, absolute: budget) == nil)
    for row in 0..<size {
      for column in row + 1..<max(size, row + 1) {
        #expect(lower.numbers[row * size + column] == 0)
      }
    }
  }

  @Test("inverses multiply to the identity", arguments: [1, 3, 64], [DType.float32, .float64])
  func inverse(size: Int, dtype: DType) throws {
    let matrix = positiveDefinite(size, dtype)
    let inverse = try matrix.inverseOfPositiveDefinite()
    let product = matrixProduct(matrix, inverse).numbers
    let identity = (0..<size * size).map { $0 / size == $0 % size ? 1.0 : 0.0 }
    #expect(difference(product, identity, absolute: dtype == .float32 ? 1e-3 : 1e-11) == nil)
    #expect(difference(inverse.transposed(), inverse) == nil)
  }

  @Test("the inverse is the square of an upper factor", arguments: [1, 2, 17, 100])
  func inverseFactor(size: Int) throws {
    let matrix = positiveDefinite(size, .float64)
    let factor = try matrix.inverseFactor()
    for row in 0..<size {
      for column in 0..<row { #expect(factor.numbers[row * size + column] == 0) }
    }
    let inverse = matrixProduct(factor, factor, firstTransposed: true)
    let product = matrixProduct(matrix, inverse).numbers
    let identity = (0..<size * size).map { $0 / size == $0 % size ? 1.0 : 0.0 }
    #expect(difference(product, identity, absolute: 1e-11) == nil)
    let upper = try matrix.inverseOfPositiveDefinite().choleskyFactor(isUpper: true)
    #expect(difference(factor, upper, absolute: 1e-11) == nil)
  }

  @Test("factors of large matrices, which LAPACK's own threads compute, multiply back")
  func largeFactor() throws {
    let matrix = positiveDefinite(1030, .float64)
    let factor = try matrix.inverseFactor()
    let upperTimes = matrixProduct(factor, matrix)
    // U · A · Uᵀ is the identity if inverse(A) = Uᵀ · U.
    let product = matrixProduct(upperTimes, factor, secondTransposed: true)
    let identity = Tensor(
      (0..<1030 * 1030).map { $0 / 1030 == $0 % 1030 ? 1.0 : 0.0 },
      shape: [1030, 1030]
    )
    #expect((product - identity).largestMagnitude() < 1e-9)
  }

  @Test("throw for a matrix that is not positive definite, naming the minor")
  func indefinite() {
    let matrix = Tensor([1, 2, 2, 1] as [Float], shape: [2, 2])
    #expect(throws: NotPositiveDefinite(order: 2)) { try matrix.choleskyFactor() }
    #expect(throws: NotPositiveDefinite(order: 2)) { try matrix.inverseOfPositiveDefinite() }
    let double = matrix.converted(to: .float64)
    #expect(throws: NotPositiveDefinite(order: 2)) { try double.inverseFactor() }
  }
}
