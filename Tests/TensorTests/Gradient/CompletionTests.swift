import Tensor
import TestSupport
import Testing

@Suite("Gradients handed out when complete")
struct CompletionTests {
  private let names = ["a", "b", "c"]
  private let parameters = ["a", "b", "c"].map { Parameter($0, Tensor([2, 3] as [Float])) }

  /// `a` is used first and last, `c` in between, `b` in the middle.
  private func loss(_ values: [Tensor]) -> Tensor {
    let first = values[0] * values[1]  // ab
    return (first * values[2] * values[0]).summed()  // a²bc
  }

  @Test("once for each parameter, after its last use, the sum of all uses")
  func once() {
    var order: [String] = []
    let value = differentiate(parameters, weight: 2) {
      loss(parameters.map(\.value))
    } whenComplete: { parameter, gradient in
      order.append(parameter.name)
      // a²bc: 2abc by a, 2·24 and 2·54 of it.
      #expect(gradient.numbers == (parameter.name == "a" ? [32, 108] : [16, 54]))
    }
    #expect(value.scalar == 16 + 81)
    #expect(order.sorted() == names)
    #expect(order.first == "c")
  }

  @Test("a parameter may be changed as soon as its gradient is complete")
  func changes() {
    var gradients: [String: [Double]] = [:]
    _ = differentiate(parameters) {
      loss(parameters.map(\.value))
    } whenComplete: { parameter, gradient in
      gradients[parameter.name] = gradient.numbers
      parameter.update { $0 = $0.scaled(by: 100) }
    }
    #expect(gradients == ["a": [16, 54], "b": [8, 27], "c": [8, 27]])
    #expect(parameters[1].value.numbers == [200, 300])
  }

  @Test("not for parameters that the loss does not depend on")
  func unused() {
    var order: [String] = []
    _ = differentiate(parameters) {
      parameters[1].value.summed()
    } whenComplete: { parameter, _ in
      order.append(parameter.name)
    }
    #expect(order == ["b"])
  }

  @Test("once and complete where bodies are recomputed, also one inside another")
  func recomputedBodies() {
    let (a, b, c) = (parameters[0], parameters[1], parameters[2])
    func body(_ x: Tensor) -> Tensor { recomputed(x * a.value) { $0 * b.value * a.value } }
    var order: [String] = []
    _ = differentiate(parameters) {
      // a⁴b²c: each body multiplies by a²b.
      recomputed(recomputed(c.value, body), body).summed()
    } whenComplete: { parameter, gradient in
      order.append(parameter.name)
      // With (a, b, c) = (2, 2, 2) and (3, 3, 3): a⁴b²c is 128 and 2187.
      let expected = ["a": [256.0, 2916], "b": [128, 1458], "c": [64, 729]]
      #expect(gradient.numbers == expected[parameter.name])
    }
    #expect(order.sorted() == names)
  }
}
