import Tensor
import TestSupport
import Testing
import Train

@Suite("Optimizers")
struct OptimizerTests {
  static let rules: [(name: String, rule: any Optimizer)] = [
    ("adamw", AdamW(weightDecay: 0)),
    ("adamw.decay", AdamW(beta2: 0.95, epsilon: 1e-6, weightDecay: 0.1)),
    ("adamw.fast", AdamW(beta1: 0.3, beta2: 0.9)),
    ("sgd", StochasticGradientDescent(weightDecay: 0.1)),
    ("sgd.momentum", StochasticGradientDescent(momentum: 0.9)),
    ("sgd.nesterov", StochasticGradientDescent(momentum: 0.9, isNesterov: true, weightDecay: 0.1)),
    ("lion", Lion(weightDecay: 0.1)),
  ]

  @Test("20 steps equal torch's, and Lion's as its paper writes it", arguments: 0..<rules.count)
  func golden(index: Int) throws {
    let (name, rule) = Self.rules[index]
    let golden = try Golden("optimizers.safetensors")
    for dtype in [DType.float32, .float64] {
      let parameter = Parameter("w", golden["start"].converted(to: dtype))
      let state = try OptimizerState(rule, [parameter])
      for step in 1...20 {
        let rows = golden["gradients"].rows(step - 1..<step).reshaped([3, 5])
        let rate = golden["rates"].numbers[step - 1]
        state.update(parameter, rows.converted(to: dtype), rate: rate, step: step)
        let expected = golden[name].rows(step - 1..<step).reshaped([3, 5])
        #expect(difference(parameter.value, expected, relative: 1e-6, absolute: 1e-6) == nil)
      }
    }
  }

  @Test("a scaled gradient is the same as a scale", arguments: 0..<rules.count)
  func scale(index: Int) throws {
    let rule = Self.rules[index].rule
    var random = Random(seed: 3)
    let start = random.normal([40, 9])
    let (a, b) = (Parameter("w", start), Parameter("w", start))
    let (first, second) = (try OptimizerState(rule, [a]), try OptimizerState(rule, [b]))
    for step in 1...3 {
      let gradient = random.normal([40, 9])
      first.update(a, gradient, rate: 0.1, step: step, gradientScale: 0.25)
      second.update(b, gradient.scaled(by: 0.25), rate: 0.1, step: step)
    }
    #expect(a.value.numbers == b.value.numbers)
  }

  @Test("an update leaves other holders of the value alone")
  func sharing() throws {
    let value = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
    let parameter = Parameter("w", value)
    let state = try OptimizerState(Lion(), [parameter])
    state.update(parameter, Tensor([1, -1, 0, 1] as [Float], shape: [2, 2]), rate: 0.5, step: 1)
    #expect(value.numbers == [1, 2, 3, 4])
    #expect(parameter.value.numbers == [0.5, 2.5, 3, 3.5])
  }

  @Test("vectors do not decay unless a group says so")
  func groups() throws {
    let groups = ParameterGroups([
      ParameterGroup("head.*", rateFactor: 0.1),
      ParameterGroup("*.bias", weightDecay: 0.5),
    ])
    func options(_ name: String, _ shape: Shape) -> [Double] {
      let options = groups.options(name, shape: shape, weightDecay: 0.2)
      return [options.rateFactor, options.weightDecay]
    }
    #expect(options("layer.weight", [2, 2]) == [1, 0.2])
    #expect(options("norm.weight", [2]) == [1, 0])
    #expect(options("layer.bias", [2]) == [1, 0.5])
    #expect(options("head.weight", [2, 2]) == [0.1, 0.2])
    let parameter = Parameter("head.weight", Tensor([1] as [Float], shape: [1, 1]))
    let bias = Parameter("layer.bias", Tensor([1] as [Float]))
    let state = try OptimizerState(
      StochasticGradientDescent(),
      [parameter, bias],
      groups: groups
    )
    state.update(parameter, Tensor([1] as [Float], shape: [1, 1]), rate: 0.5, step: 1)
    #expect(difference(parameter.value.numbers, [0.95], relative: 1e-7) == nil)
  }

  @Test("a group that fits nothing is an error that names the nearest parameters")
  func unmatchedGroup() {
    let parameter = Parameter("model.norm.weight", Tensor([1] as [Float]))
    let groups = ParameterGroups([ParameterGroup("model.nrm.weight")])
    let error = #expect(throws: TrainingError.self) {
      try OptimizerState(AdamW(), [parameter], groups: groups)
    }
    #expect(error?.code == .invalidOptions)
    #expect(error?.description.contains("model.norm.weight") == true)
    #expect(throws: TrainingError.self) {
      try OptimizerState(
        AdamW(),
        [parameter],
        groups: ParameterGroups([ParameterGroup("*", weightDecay: -1)])
      )
    }
    #expect(throws: TrainingError.self) { try OptimizerState(AdamW(), [parameter, parameter]) }
  }

  @Test("a state is restored only with its own tensors")
  func restoring() throws {
    let parameter = Parameter("w", Tensor([1, 2] as [Float]))
    let state = try OptimizerState(AdamW(), [parameter])
    state.update(parameter, Tensor([1, 2] as [Float]), rate: 0.1, step: 1)
    let saved = Dictionary(uniqueKeysWithValues: state.tensors.map { ($0.name, $0.tensor) })
    #expect(saved.keys.sorted() == ["first_moment.w", "second_moment.w"])
    let other = try OptimizerState(AdamW(), [parameter])
    #expect(throws: TrainingError.self) {
      try other.restore { $0.hasPrefix("f") ? saved[$0] : nil }
    }
    #expect(throws: TrainingError.self) { try other.restore { _ in Tensor([1, 2] as [Double]) } }
    #expect(other.tensors.allSatisfy { $0.tensor.numbers == [0, 0] })
    try other.restore { saved[$0] }
    #expect(other.tensors.map(\.tensor.numbers) == state.tensors.map(\.tensor.numbers))
  }

  @Test("memory is known before anything is made")
  func memory() {
    let shapes: [Shape] = [[1000, 100], [100]]
    #expect(OptimizerState.byteCount(AdamW(), shapes: shapes) == 8 * 100_100)
    #expect(OptimizerState.byteCount(Lion(), shapes: shapes) == 4 * 100_100)
    #expect(OptimizerState.byteCount(StochasticGradientDescent(), shapes: shapes) == 0)
    let coded = OptimizerState.byteCount(AdamW(moments: .eightBit), shapes: shapes)
    #expect(coded == 2 * (100_000 + 4 * 391) + 8 * 100)
    var options = TrainingOptions(schedule: .constant(peak: 1, steps: 1))
    let clipped = TrainingMemory(shapes: shapes, optimizer: AdamW(), options: options)
    #expect(clipped.total == 16 * 100_100)
    options.clipNorm = nil
    options.average = MovingAverage.Options()
    let fused = TrainingMemory(shapes: shapes, optimizer: AdamW(), options: options)
    #expect(fused.gradients == 400_000 && fused.average == 400_400)
  }
}
