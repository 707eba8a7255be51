import Tensor
import TestSupport
import Testing

@Suite("Gradients as PyTorch computes them")
struct GradientGoldenTests {
  private typealias Run = @Sendable ([Tensor]) -> Tensor
  private static let golden = Result { try Golden("operation_gradients.safetensors") }
  private static let targets: [Int32] = [3, -1, 0, 36]

  /// How each case of operation_gradients.py is run; how many inputs it has.
  private static let runs: [String: (count: Int, run: Run)] = [
    "sum": (2, { $0[0] + $0[1] }),
    "difference": (2, { $0[0] - $0[1] }),
    "product": (2, { $0[0] * $0[1] }),
    "quotient": (2, { $0[0] / $0[1] }),
    "maximum": (2, { $0[0].maximum($0[1]) }),
    "minimum": (2, { $0[0].minimum($0[1]) }),
    "softCapped": (1, { $0[0].softCapped(5) }),
    "swiGLU": (2, { $0[0].swiGLU(up: $0[1]) }),
    "geGLU": (2, { $0[0].geGLU(up: $0[1]) }),
    "geGLUTanh": (2, { $0[0].geGLU(up: $0[1], approximated: true) }),
    "reGLU": (2, { $0[0].reGLU(up: $0[1]) }),
    "summed": (1, { $0[0].summed() }),
    "averaged": (1, { $0[0].averaged() }),
    "summedAxis": (1, { $0[0].summed(axis: 1) }),
    "averagedAxis": (1, { $0[0].averaged(axis: 0) }),
    "rowSums": (1, { $0[0].rowSums() }),
    "rowMeans": (1, { $0[0].rowMeans() }),
    "rows": (1, { $0[0].rows(1..<3) * $0[0].rows(2..<4) }),
    "columns": (1, { $0[0].columns(0..<3) * $0[0].columns(2..<5) }),
    "transposed": (1, { $0[0].transposed() }),
    "concatenated": (2, { .concatenated([$0[0], $0[1], $0[0]]) }),
    "gathered": (1, { $0[0].gathered(rows: [4, 0, 4, 2, 4]) }),
    "rmsNorm": (2, { $0[0].rmsNorm(weight: $0[1], epsilon: 1e-5) }),
    "rmsNormOffset": (2, { $0[0].rmsNorm(weight: $0[1], epsilon: 1e-5, offset: 1) }),
    "rmsNormPlain": (1, { $0[0].rmsNorm(weight: nil, epsilon: 1e-5) }),
    "layerNorm": (3, { $0[0].layerNorm(weight: $0[1], bias: $0[2], epsilon: 1e-5) }),
    "softmax": (1, { $0[0].softmax() }),
    "logSoftmax": (1, { $0[0].logSoftmax() }),
    "logSumExp": (1, { $0[0].logSumExp() }),
    "crossEntropy": (1, { $0[0].crossEntropy(targets: targets) }),
    "crossEntropySmoothed": (1, { $0[0].crossEntropy(targets: targets, smoothing: 0.2) }),
    "meanSquaredError": (2, { $0[0].meanSquaredError($0[1]) }),
    "cosineSimilarity": (2, { $0[0].cosineSimilarity($0[1]) }),
  ]

  @Test("with several inputs or options", arguments: runs.keys.sorted())
  func operations(name: String) throws {
    let (count, run) = try #require(Self.runs[name])
    try check(name, count, run)
  }

  @Test("of functions of elements", arguments: PointwiseFunction.allCases)
  func functions(function: PointwiseFunction) throws {
    try check("\(function)", 1) { $0[0].mapped(function) }
  }

  @Test("of the rotary embedding")
  func rotary() throws {
    let golden = try Self.golden.get()
    try check("rotary", 1) {
      $0[0].rotary(cosines: golden["rotary.cosines"], sines: golden["rotary.sines"], start: 2)
    }
  }

  @Test("of the divergence from a reference")
  func divergence() throws {
    let golden = try Self.golden.get()
    try check("klDivergence", 1) {
      $0[0].klDivergence(from: golden["klDivergence.reference"], temperature: 2)
    }
  }

  /// Compares the result and all gradients; errors count against the largest magnitude.
  private func check(_ name: String, _ count: Int, _ run: ([Tensor]) -> Tensor) throws {
    let golden = try Self.golden.get()
    let inputs = (0..<count).map { Parameter("input \($0)", golden["\(name).\($0)"]) }
    let expected = golden["\(name).result"]
    let gradients = differentiate(inputs) {
      let y = run(inputs.map(\.value))
      let tolerance = 1e-6 * max(1, expected.largestMagnitude())
      #expect(difference(y, expected, absolute: tolerance) == nil, "\(name)")
      return (y * golden["\(name).cotangent"]).summed()
    }.gradients
    for (index, input) in inputs.enumerated() {
      let expected = golden["\(name).gradient.\(index)"]
      let actual = try #require(gradients[input])
      let tolerance = 2e-6 * max(1, expected.largestMagnitude())
      #expect(difference(actual, expected, absolute: tolerance) == nil, "\(name), input \(index)")
    }
  }
}
