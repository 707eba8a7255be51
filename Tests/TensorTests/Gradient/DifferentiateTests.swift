import Tensor
import TestSupport
import Testing

@Suite("differentiate")
struct DifferentiateTests {
  private let x = Parameter("x", Tensor([1, 2, 3] as [Float]))
  private let y = Parameter("y", Tensor([4, 5, 6] as [Float]))

  @Test("returns the value and the gradients of what it depends on")
  func gradients() {
    let (value, gradients) = differentiate([x, y]) { (x.value * x.value).summed() }
    #expect(value.scalar == 14)
    #expect(!value.isRecorded)
    #expect(gradients[x]?.numbers == [2, 4, 6])
    #expect(gradients[y] == nil)
    #expect(gradients.count == 1)
  }

  @Test("treats other parameters and detached values as constants")
  func constants() {
    let gradients = differentiate([x]) {
      (x.value * y.value + x.value.detached * x.value).summed()
    }.gradients
    #expect(gradients[x]?.numbers == [5, 7, 9])
  }

  @Test("adds weighted gradients to those there are")
  func accumulation() {
    var gradients = Gradients()
    for weight in [0.5, 2] {
      let value = differentiate([x, y], addingTo: &gradients, weight: weight) {
        (x.value * y.value).summed()
      }
      #expect(value.scalar == 32)
    }
    #expect(gradients[x]?.numbers == [10, 12.5, 15])
    #expect(gradients[y]?.numbers == [2.5, 5, 7.5])
  }

  @Test("leaves gradients that were handed out before alone")
  func valueSemantics() {
    var gradients = Gradients()
    _ = differentiate([x], addingTo: &gradients) { x.value.summed() }
    let before = gradients[x]
    _ = differentiate([x], addingTo: &gradients) { x.value.summed() }
    #expect(before?.numbers == [1, 1, 1])
    #expect(gradients[x]?.numbers == [2, 2, 2])
  }

  @Test("sums over all uses of a tied parameter")
  func tied() {
    let gradients = differentiate([x]) {
      let first = x.value * x.value
      return (first * x.value).summed()
    }.gradients
    #expect(gradients[x]?.numbers == [3, 12, 27])
  }

  private struct Refusal: Error {}

  @Test("leaves parameters usable when the loss throws")
  func throwing() {
    var gradients = Gradients()
    _ = differentiate([x], addingTo: &gradients) { x.value.summed() }
    #expect(throws: Refusal.self) {
      _ = try differentiate([x], addingTo: &gradients) {
        _ = x.value.summed()
        throw Refusal()
      }
    }
    #expect(!x.value.isRecorded)
    #expect(gradients[x]?.numbers == [1, 1, 1])
    #expect(differentiate([x]) { x.value.summed() }.gradients[x]?.numbers == [1, 1, 1])
  }

  @Test("walks chains of 100 000 operations", .timeLimit(.minutes(1)))
  func deepChain() {
    let x = Parameter("x", Tensor([1, 2] as [Float]))
    let gradients = differentiate([x]) {
      var value = x.value
      for _ in 0..<100_000 { value = value.scaled(by: -1) }
      return value.summed()
    }.gradients
    #expect(gradients[x]?.numbers == [1, 1])
  }

  @Test("survives a long chain that is dropped without a walk", .timeLimit(.minutes(1)))
  func droppedChain() {
    let x = Parameter("x", Tensor([1, 2] as [Float]))
    let gradients = differentiate([x]) {
      var value = x.value
      for _ in 0..<100_000 { value = value.scaled(by: -1) }
      return x.value.summed()
    }.gradients
    #expect(gradients[x]?.numbers == [1, 1])
  }

  /// Rounds, and passes the gradient on where the input was within ±2.
  private func rounded(_ x: Tensor) -> Tensor {
    let inside = Tensor(x.detached.elements(as: Float.self).map { abs($0) < 2 ? 1 : 0 as Float })
    let values = x.elements(as: Float.self).map { $0.rounded() }
    return Tensor(values).recorded("rounded", [x]) { dy, needs in
      #expect(needs == [true])
      return [dy * inside]
    }
  }

  @Test("takes backward rules from outside of the module")
  func straightThrough() {
    let x = Parameter("x", Tensor([0.4, 1.6, 2.7] as [Float]))
    let (value, gradients) = differentiate([x]) { (rounded(x.value) * y.value).summed() }
    #expect(value.scalar == 28)
    #expect(gradients[x]?.numbers == [4, 5, 0])
  }

  @Test("passes gradients straight through narrow types")
  func narrowTypes() {
    let x = Parameter("x", Tensor([1.001, 2, 3] as [Float]))
    let (value, gradients) = differentiate([x]) {
      let narrow = x.value.converted(to: .bfloat16).reshaped([3, 1])
      return Tensor.concatenated([narrow.rows(0..<2), narrow]).gathered(rows: [0, 0, 4])
        .converted(to: .float32).summed()
    }
    #expect(value.scalar == 5)
    #expect(gradients[x]?.numbers == [2, 0, 1])
  }

  @Test("ends at integers")
  func integers() {
    _ = differentiate([x]) {
      #expect(!x.value.converted(to: .int32).isRecorded)
      return x.value.summed()
    }
  }
}
