import Tensor
import TestSupport
import Testing

@testable import Train

@Suite("Gradient clipping and averages")
struct GradientTests {
  @Test("clipping is torch's", arguments: [0.5, 100])
  func clipping(limit: Double) throws {
    let golden = try Golden("optimizers.safetensors")
    let parameters = (0..<2).map { Parameter("\($0)", Tensor(zeros: golden["clip.\($0)"].shape)) }
    var gradients = Gradients()
    for (index, parameter) in parameters.enumerated() {
      gradients[parameter] = golden["clip.\(index)"]
    }
    let norm = gradients.clip(parameters, norm: limit)
    #expect(difference([norm], golden["clip.norm"].numbers, relative: 1e-6) == nil)
    for (index, parameter) in parameters.enumerated() {
      let clipped = try #require(gradients[parameter])
      #expect(difference(clipped, golden["clipped.\(limit).\(index)"], relative: 1e-6) == nil)
    }
    #expect(gradients.norm(parameters) <= limit || limit > norm)
  }

  @Test("a norm that is not finite scales nothing")
  func notFinite() {
    let parameter = Parameter("w", Tensor(zeros: [2]))
    var gradients = Gradients()
    gradients[parameter] = Tensor([1, .nan] as [Float])
    #expect(gradients.clip([parameter], norm: 1).isNaN)
    #expect(gradients[parameter]?.numbers[0] == 1)
  }

  @Test("the norm of a long gradient is that of its parts")
  func longGradients() {
    var random = Random(seed: 2)
    for dtype in [DType.float32, .float64] {
      let x = random.normal([200_001], dtype: dtype)
      let expected = x.numbers.reduce(0) { $0 + $1 * $1 }
      #expect(abs(x.parallelSumOfSquares() / expected - 1) < 1e-6)
    }
  }

  @Test("the average is torch's")
  func average() throws {
    let golden = try Golden("optimizers.safetensors")
    let parameter = Parameter("w", golden["start"])
    let average = MovingAverage([parameter], MovingAverage.Options(decay: 0.9, warmsUp: false))
    for step in 0..<20 {
      parameter.value = golden["adamw"].rows(step..<step + 1).reshaped([3, 5])
      average.update()
      let expected = golden["average"].rows(step..<step + 1).reshaped([3, 5])
      #expect(difference(average.tensors[0].tensor, expected, relative: 1e-6) == nil)
    }
    let last = parameter.value.numbers
    average.swap()
    #expect(average.tensors[0].tensor.numbers == last)
    average.swap()
    #expect(parameter.value.numbers == last)
  }

  @Test("with warm-up the decay grows from 2/11 to its value")
  func warmUp() {
    let parameter = Parameter("w", Tensor([0] as [Double]))
    let average = MovingAverage([parameter], MovingAverage.Options(decay: 0.9))
    var expected = 0.0
    for step in 1...200 {
      parameter.value = Tensor([Double(step)])
      average.update()
      let decay = min(0.9, Double(1 + step) / Double(10 + step))
      expected = decay * expected + (1 - decay) * Double(step)
      #expect(abs(average.tensors[0].tensor.numbers[0] - expected) < 1e-9 * expected)
    }
    #expect(average.updateCount == 200)
  }
}
