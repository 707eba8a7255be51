import Foundation
import Tensor
import TestSupport
import Testing

@testable import Train

@Suite("Held zeros")
struct HeldZerosTests {
  private static let rules: [any Optimizer] = [
    AdamW(weightDecay: 0.1), AdamW(weightDecay: 0.1, moments: .eightBit), Lion(),
    StochasticGradientDescent(momentum: 0.9, isNesterov: true),
  ]

  private func options(clipNorm: Double?, parts: Int = 1) -> TrainingOptions {
    var options = TrainingOptions(schedule: .cosine(peak: 0.05, steps: 20, warmupSteps: 2))
    options.clipNorm = clipNorm
    options.partsPerStep = parts
    options.average = MovingAverage.Options(decay: 0.9)
    options.validationInterval = 4
    options.checkpointInterval = 5
    return options
  }

  /// A problem with zeros at every third place of its matrix.
  private func problem() -> Problem {
    let problem = Problem()
    problem.matrix.update { value in
      value.withMutableElements(as: Float.self) { values in
        for index in stride(from: 0, to: values.count, by: 3) { values[index] = 0 }
      }
    }
    return problem
  }

  private func zeros(_ parameter: Parameter) -> [Int] {
    let values = parameter.value.elements(as: Float.self)
    return values.indices.filter { values[$0] == 0 }
  }

  @Test(
    "stay zero whatever the rule, with clipping and without",
    arguments: 0..<rules.count,
    [1.0, nil]
  )
  func stay(rule: Int, clipNorm: Double?) throws {
    let problem = problem()
    let start = problem.matrix.value.elements(as: Float.self)
    var loop = problem.loop(Self.rules[rule], options(clipNorm: clipNorm))
    loop.heldZeros = HeldZeros([problem.matrix], summary: "kept")
    _ = try loop.run()
    #expect(zeros(problem.matrix) == Array(stride(from: 0, to: start.count, by: 3)))
    let end = problem.matrix.value.elements(as: Float.self)
    #expect(zip(start, end).allSatisfy { $0 == 0 || $0 != $1 })
  }

  @Test("are no part of the gradient's norm")
  func norm() throws {
    let problem = problem()
    let folder = try TemporaryFolder()
    var loop = problem.loop(StochasticGradientDescent(), options(clipNorm: 1))
    loop.heldZeros = HeldZeros([problem.matrix], summary: "kept")
    let (matrix, vector) = (problem.matrix.value, problem.vector.value)
    let batch = problem.batch(1, 0)
    _ = try loop.run(folder: folder.url)
    problem.matrix.value = matrix
    problem.vector.value = vector
    let gradients = differentiate(problem.parameters) { problem.loss(batch) }.gradients
    let values = try #require(gradients[problem.matrix]).elements(as: Float.self)
    let free = values.indices.filter { !$0.isMultiple(of: 3) }
    var expected = free.reduce(0) { $0 + Double(values[$1]) * Double(values[$1]) }
    expected += try #require(gradients[problem.vector]).sumOfSquares()
    let lines = try folder.bytes("metrics.jsonl").split(separator: UInt8(ascii: "\n"))
    let first = try JSONSerialization.jsonObject(with: Data(lines[1])) as? [String: Double]
    let reported = try #require(first?["gradient_norm"])
    #expect(abs(reported - expected.squareRoot()) < 1e-4 * reported)
  }

  /// Every fifth place more with each fifth step, up to the tenth.
  private func growing(_ problem: Problem) -> HeldZeros {
    HeldZeros([problem.matrix], summary: "growing", completeStep: 10) { parameter, done in
      guard done <= 10, done.isMultiple(of: 5) else { return nil }
      let marks = (0..<parameter.count).map { UInt8($0 % 5 <= done / 5 ? 1 : 0) }
      return Tensor(marks, shape: parameter.shape)
    }
  }

  @Test("that join stay zero too, in the average as well", arguments: 0..<rules.count)
  func growth(rule: Int) throws {
    let problem = problem()
    var loop = problem.loop(Self.rules[rule], options(clipNorm: 1))
    loop.heldZeros = growing(problem)
    let result = try loop.run()
    let values = problem.matrix.value.elements(as: Float.self)
    #expect(values.indices.allSatisfy { (values[$0] == 0) == ($0 % 3 == 0 || $0 % 5 <= 2) })
    #expect(result.validations.contains { $0.step == 0 })
    #expect(try #require(result.restored).step >= 10)
  }

  @Test(
    "killed and resumed, the result and the saved state are the same bits",
    arguments: 0..<rules.count
  )
  func killed(rule: Int) throws {
    struct Stop: Error {}
    let options = options(clipNorm: 1, parts: 1)
    let (straight, broken) = (try TemporaryFolder(), try TemporaryFolder())
    let whole = problem()
    var loop = whole.loop(Self.rules[rule], options)
    loop.heldZeros = growing(whole)
    let expected = try loop.run(folder: straight.url)
    for step in [3, 7, 13] {
      let part = problem()
      var loop = part.loop(Self.rules[rule], options)
      loop.heldZeros = growing(part)
      loop.onProgress = { if $0.step == step { throw Stop() } }
      #expect(throws: Stop.self) { try loop.run(folder: broken.url) }
    }
    let again = problem()
    loop = again.loop(Self.rules[rule], options)
    loop.heldZeros = growing(again)
    #expect(try loop.run(folder: broken.url) == expected)
    #expect(again.bits == whole.bits)
    #expect(try broken.bytes("metrics.jsonl") == straight.bytes("metrics.jsonl"))
    for name in try straight.names(in: "state") where name.hasSuffix(".safetensors") {
      #expect(try broken.bytes("state/\(name)") == straight.bytes("state/\(name)"))
    }
    let other = problem()
    loop = other.loop(Self.rules[rule], options)
    loop.heldZeros = HeldZeros([other.matrix], summary: "kept")
    #expect(throws: TrainingError.self) { try loop.run(folder: broken.url) }
  }
}
