import Calibrate
import Foundation
import Models
import Tensor
import TestSupport
import Testing

@testable import Quantize

@Suite("Scales between layers")
struct ScalingTests {
  private let golden: Golden
  private let norm: Normalization
  private let pair: ScalingPair

  init() throws {
    let golden = try Golden("scaling.safetensors")
    self.golden = golden
    norm = Normalization(
      name: "norm",
      weight: Tensor(Array(repeating: Float(1), count: 64)),
      epsilon: 1e-5
    )
    pair = ScalingPair(
      .feedForwardInput,
      producer: .norm(norm),
      consumers: ["first", "second"].map {
        Linear(name: $0, stored: StoredWeight(DenseWeight(golden[$0])))
      }
    )
  }

  private func found(
    _ source: ScaleSource?,
    scale: ScaleRule = .absoluteMaximum,
    linears: [Linear]? = nil
  ) throws -> AWQScales {
    try awqScales(
      pair,
      linears ?? pair.consumers,
      InputStatistics(of: golden["inputs"], collecting: [.gram, .magnitudes]),
      grid: Grid(bits: 4, groupSize: .columns(32), scale: scale),
      source: source,
      steps: 20
    )
  }

  @Test("AWQ's errors, power and scales are those that numpy finds")
  func awq() throws {
    let found = try found(.both)
    // Codes next to a tie may fall either way.
    #expect(
      difference(found.candidates, golden["errors"].numbers, relative: 2e-3) == nil
    )
    #expect(abs(found.power - golden["power"].numbers[0]) < 1e-6)
    #expect(difference(Tensor(found.scales), golden["scales"], relative: 1e-4) == nil)
    #expect(found.layers.map(\.linear.name) == ["first", "second"])
  }

  @Test("strong channels gain much, and the rounded layers have the errors that are told")
  func gain() throws {
    let found = try found(.inputs, scale: .leastSquares)
    let x = golden["inputs"].converted(to: .float64)
    let gram = matrixProduct(x, x, firstTransposed: true)
    for layer in found.layers {
      #expect(layer.scaled.relative < 0.8 * layer.nearest.relative)
      let original = layer.linear.weight.dense
      let unscaled = layer.weight.dense / Tensor(found.scales)
      let error = OutputError(original, unscaled, gram: gram)
      #expect(abs(error.relative / layer.scaled.relative - 1) < 1e-3)
    }
  }

  @Test("without candidates there are no scales, and only asked-for layers count")
  func none() throws {
    let found = try found(nil, linears: [pair.consumers[1]])
    #expect(found.scales == Array(repeating: 1, count: 64))
    #expect(found.candidates.count == 1)
    #expect(found.layers.map(\.linear.name) == ["second"])
  }

  @Test("smoothing scales and 8-bit errors are those that numpy finds")
  func smoothing() throws {
    let problem = SmoothingProblem(
      pair,
      InputStatistics(of: golden["inputs"], collecting: [.magnitudes, .samples])
    )
    let scales = problem.scales(alpha: 0.5)
    #expect(difference(Tensor(scales), golden["smooth"], relative: 1e-5) == nil)
    let none = Array(repeating: Float(1), count: 64)
    let errors = try [none, scales].map { try problem.errors($0).reduce(0) { $0 + $1.relative } }
    #expect(difference(errors, golden["smooth_errors"].numbers, relative: 5e-3) == nil)
    let best = try problem.errors(problem.bestScales().scales)
    #expect(best.reduce(0) { $0 + $1.relative } <= errors[1])
  }

  @Test("the expected error has the gradient and the minimum that are found by torch")
  func program() {
    let problem = SmoothingProblem(
      pair,
      InputStatistics(of: golden["inputs"], collecting: [.magnitudes, .samples])
    )
    let start = golden["smooth"].elements(as: Float.self).map { log(Double($0)) }
    let (error, gradient) = problem.program.value(start)
    let expected = golden["program_errors"].numbers
    #expect(abs(error / expected[0] - 1) < 1e-5)
    #expect(difference(gradient, golden["program_gradient"].numbers, relative: 1e-4) == nil)
    let found = problem.program.minimum().map { log(Double($0)) }
    let least = problem.program.value(found).error
    #expect(least < 1.01 * expected[1] && least > 0.99 * expected[1])
    #expect(least < 0.98 * error)
  }

  @Test("channels without inputs or weights keep their scale")
  func deadChannels() {
    let scales = smoothingScales(inputs: [0, 4, 4], weights: [1, 0, 1], alpha: 0.5)
    #expect(scales == [1, 1, 2])
  }

  @Test("a group's scale is searched for the columns that count")
  func importance() throws {
    var random = TinyRandom(seed: 8)
    let matrix = Tensor((0..<8 * 64).map { _ in random.normal() }, shape: [8, 64])
    let importance = (0..<64).map { Float($0 % 4 == 0 ? 1 : 0.01) }
    let root = Tensor(importance.map { $0.squareRoot() })
    func error(_ importance: [Float]?, _ zero: GroupFormat.Zero) throws -> Double {
      let grid = Grid(bits: 3, groupSize: .columns(32), zero: zero, scale: .leastSquares)
      let rounded = try roundToNearest(StoredMatrix(matrix), grid: grid, importance: importance)
      return ((matrix - rounded.weight.dense) * root).sumOfSquares()
    }
    for zero in GroupFormat.Zero.allCases {
      #expect(try error(importance, zero) < 0.95 * error(nil, zero))
    }
  }
}
