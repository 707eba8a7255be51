import Tensor
import TestSupport
import Testing

@Suite("Gradients of operations")
struct OperationGradientTests {
  @Test("are the limits of differences", arguments: allOperationCases)
  func differences(operation: OperationCase) {
    #expect(operation.differenceProblem() == nil)
  }

  @Test("in float32 are near those in float64", arguments: allOperationCases)
  func singlePrecision(operation: OperationCase) {
    #expect(operation.singlePrecisionProblem() == nil)
  }

  @Test("are the same when the operation is recomputed", arguments: allOperationCases)
  func recomputation(operation: OperationCase) {
    #expect(operation.recomputationProblem() == nil)
  }

  @Test("are the same by one input alone", arguments: allOperationCases)
  func selection(operation: OperationCase) {
    #expect(operation.selectionProblem() == nil)
  }

  @Test("add up", arguments: allOperationCases)
  func accumulation(operation: OperationCase) {
    #expect(operation.accumulationProblem() == nil)
  }
}
