import Tensor
import Testing

@testable import Quantize

@Suite("Errors of a layer's outputs")
struct LayerOutputErrorTests {
  @Test(
    "equal those of outputs computed in float64",
    arguments: [(5, 40), (70, 33), (4100, 17)]
  )
  func direct(shape: (rows: Int, columns: Int)) {
    let weights = randomMatrix(shape.rows, shape.columns, seed: 1)
    let others =
      weights + randomMatrix(shape.rows, shape.columns, seed: 2) * Tensor([0.1] as [Float])
    // Strongly correlated: all inputs share a direction ten times as long as the rest.
    let common = randomMatrix(1, shape.columns, seed: 3) * Tensor([10] as [Float])
    let inputs = (randomMatrix(200, shape.columns, seed: 4) + common).converted(to: .float64)
    let gram = matrixProduct(inputs, inputs, firstTransposed: true)
    func squares(_ matrix: Tensor) -> Double {
      matrixProduct(inputs, matrix.converted(to: .float64), secondTransposed: true).sumOfSquares()
    }
    let found = OutputError(weights, others, gram: gram)
    let (error, norm) = (squares(weights - others), squares(weights))
    #expect(abs(found.squaredError - error) < 1e-5 * error)
    #expect(abs(found.squaredNorm - norm) < 1e-5 * norm)
    let known = OutputError(squaredError: 1, squaredNorm: norm)
    let again = OutputError(StoredMatrix(weights), StoredMatrix(others), gram: gram, known: known)
    #expect(again.squaredError == found.squaredError && again.squaredNorm == norm)
  }
}
