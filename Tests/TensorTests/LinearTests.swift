import Foundation
import Tensor
import TestSupport
import Testing

/// The derivative of `loss` along `direction` of `parameter`, by central differences.
private func slope(
  _ parameter: Parameter,
  _ direction: Tensor,
  _ loss: () -> Tensor
) -> Double {
  let (start, step) = (parameter.value, 1e-5)
  func value(_ scale: Double) -> Double {
    var moved = start.copied()
    moved.add(direction, scale: scale)
    parameter.value = moved
    return loss().sum()
  }
  defer { parameter.value = start }
  return (value(step) - value(-step)) / (2 * step)
}

/// Compares gradients in `float64` with differences along random directions.
private func expectGradients(_ parameters: [Parameter], _ output: () -> Tensor) {
  var random = Random(seed: 9)
  let weights = random.normal(output().shape, dtype: .float64)
  func loss() -> Tensor {
    let y = output()
    return Tensor([y.dot(weights)], shape: []).recorded("weighted", [y]) { dy, _ in
      [weights * dy]
    }
  }
  let (_, gradients) = differentiate(parameters) { loss() }
  for parameter in parameters {
    guard let gradient = gradients[parameter] else {
      Issue.record("\(parameter.name) has no gradient")
      continue
    }
    for _ in 0..<3 {
      let direction = random.normal(parameter.shape, dtype: .float64)
      let (found, expected) = (gradient.dot(direction), slope(parameter, direction, loss))
      #expect(abs(found - expected) < 1e-6 * max(1, abs(expected)), "\(parameter.name)")
    }
  }
}

@Suite("Linear layer")
struct LinearTests {
  @Test("has the gradients of its input, weight and bias")
  func gradients() {
    var random = Random(seed: 1)
    let x = Parameter("x", random.normal([2, 5, 7], dtype: .float64))
    let weight = Parameter("weight", random.normal([6, 7], dtype: .float64))
    let bias = Parameter("bias", random.normal([6], dtype: .float64))
    expectGradients([x, weight, bias]) { x.value.linear(weight: weight.value, bias: bias.value) }
    expectGradients([x, weight]) { x.value.linear(weight: weight.value) }
  }

  @Test("adds to the gradient of a weight that is used twice")
  func tied() {
    var random = Random(seed: 2)
    let x = Parameter("x", random.normal([5, 7], dtype: .float64))
    let weight = Parameter("weight", random.normal([7, 7], dtype: .float64))
    expectGradients([x, weight]) {
      x.value.linear(weight: weight.value).linear(weight: weight.value)
    }
  }

  @Test("of a stored weight has the gradients of its input and bias")
  func stored() {
    var random = Random(seed: 3)
    let x = Parameter("x", random.normal([2, 5, 48], dtype: .float64))
    let bias = Parameter("bias", random.normal([1100], dtype: .float64))
    let weight = random.normal([1100, 48])
    for dtype in [DType.float32, .bfloat16, .float64] {
      let matrix = StoredMatrix(weight.converted(to: dtype))
      expectGradients([x, bias]) { x.value.multiplied(by: matrix, bias: bias.value) }
    }
  }

  @Test("in float32 has the gradients of float64", arguments: [3, 50, 130])
  func single(rows: Int) {
    var random = Random(seed: 4)
    let values = [
      random.normal([rows, 65], dtype: .float64), random.normal([100, 65], dtype: .float64),
      random.normal([100], dtype: .float64), random.normal([rows, 100], dtype: .float64),
    ]
    func gradients(_ dtype: DType, stored: Bool) -> [Tensor] {
      let parameters = values.map { Parameter("p", $0.converted(to: dtype)) }
      let weights = parameters[3].value
      let (_, gradients) = differentiate(Array(parameters.prefix(3))) {
        let x = parameters[0].value
        let y =
          stored
          ? x.multiplied(by: StoredMatrix(parameters[1].value), bias: parameters[2].value)
          : x.linear(weight: parameters[1].value, bias: parameters[2].value)
        return Tensor([Float(0)], shape: []).converted(to: dtype).recorded("weighted", [y]) {
          _,
          _ in [weights]
        }
      }
      return parameters.compactMap { gradients[$0] }
    }
    for stored in [false, true] {
      let (found, expected) = (
        gradients(.float32, stored: stored), gradients(.float64, stored: stored)
      )
      #expect(found.count == (stored ? 2 : 3) && expected.count == found.count)
      for (found, expected) in zip(found, expected) {
        #expect(
          difference(found.numbers, expected.numbers, relative: 1e-5, absolute: 1e-4) == nil
        )
      }
    }
  }
}

@Suite("Matrix product's gradients")
struct MatrixProductGradientTests {
  @Test(
    "are right whichever factor is transposed",
    arguments: [false, true],
    [false, true]
  )
  func transposed(first: Bool, second: Bool) {
    var random = Random(seed: 5)
    let a = Parameter("a", random.normal(first ? [4, 3] : [3, 4], dtype: .float64))
    let b = Parameter("b", random.normal(second ? [5, 4] : [4, 5], dtype: .float64))
    let c = Parameter("c", random.normal([3, 5], dtype: .float64))
    expectGradients([a, b, c]) {
      matrixProduct(
        a.value,
        b.value,
        firstTransposed: first,
        secondTransposed: second,
        alpha: 0.7,
        accumulated: c.value
      )
    }
  }
}
