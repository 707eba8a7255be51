import Foundation
import Tensor
import TestSupport
import Testing

@testable import Train

@Suite("Training loop")
struct TrainingLoopTests {
  private func options(_ steps: Int = 20, peak: Double = 0.05) -> TrainingOptions {
    TrainingOptions(schedule: .cosine(peak: peak, steps: steps, warmupSteps: 2))
  }

  @Test(
    "updating while the gradients become known changes nothing",
    arguments: [AdamW.Moments.full, .eightBit]
  )
  func fused(moments: AdamW.Moments) throws {
    let (fused, apart) = (Problem(), Problem())
    var options = options()
    options.clipNorm = nil
    let first = try fused.loop(AdamW(moments: moments), options).run()
    options.clipNorm = .infinity  // Clips nothing, but waits for all gradients.
    let second = try apart.loop(AdamW(moments: moments), options).run()
    #expect(fused.bits == apart.bits)
    #expect(first == second)
    #expect(first.validations[1].loss < first.validations[0].loss)
  }

  @Test("unequal parts give the gradient of one large batch")
  func accumulation() throws {
    let parts = Problem(dtype: .float64)
    parts.counts = [1, 4, 0, 2]
    let whole = Problem(dtype: .float64)
    var options = options(5)
    options.partsPerStep = 4
    options.clipNorm = 3
    let split = try parts.loop(StochasticGradientDescent(momentum: 0.9), options).run()
    options.partsPerStep = 1
    var loop = whole.loop(StochasticGradientDescent(momentum: 0.9), options)
    loop.batch = { step, _ in
      (0..<4).map { parts.batch(step, $0) }.reduce(Targets(step: step, matrix: [], vector: [])) {
        Targets(step: step, matrix: $0.matrix + $1.matrix, vector: $0.vector + $1.vector)
      }
    }
    let joined = try loop.run()
    #expect(
      difference(parts.matrix.value, whole.matrix.value, relative: 1e-12, absolute: 1e-12) == nil
    )
    #expect(split.tokenCount == 35 && joined.tokenCount == 35)
    #expect(abs(split.lastLoss - joined.lastLoss) < 1e-9 * joined.lastLoss)
  }

  @Test("progress counts steps, tokens and losses")
  func progress() throws {
    let problem = Problem()
    var reports: [TrainingProgress] = []
    var options = options(6)
    options.validationInterval = 3
    var loop = problem.loop(AdamW(), options)
    loop.onProgress = { reports.append($0) }
    let result = try loop.run()
    #expect(reports.map(\.step) == Array(1...6))
    #expect(reports.map { $0.validationLoss != nil } == [false, false, true, false, false, true])
    #expect(reports.map(\.isBest) == [false, false, true, false, false, true])
    #expect(reports.map(\.rate) == (1...6).map(options.schedule.rate))
    #expect(reports[0].smoothedLoss == reports[0].loss)
    #expect(reports.allSatisfy { $0.gradientNorm > 0 && $0.tokensPerSecond > 0 && $0.steps == 6 })
    #expect(reports[5].timeLeft == .zero)
    #expect(result.steps == 6 && result.tokenCount == 18 && !result.stoppedEarly)
    #expect(result.validations.map(\.step) == [0, 3, 6] && result.restored?.step == 6)
  }

  @Test(
    "training ends when validation stops improving, with the best parameters",
    arguments: [true, false]
  )
  func earlyStopping(hasFolder: Bool) throws {
    let folder = try TemporaryFolder()
    let problem = Problem()
    var options = options(100)
    options.validationInterval = 2
    options.patience = 3
    options.average = MovingAverage.Options(decay: 0.5)
    var best: [[UInt8]] = []
    var loop = problem.loop(AdamW(), options)
    loop.validationLoss = {
      problem.validationCalls += 1
      // Falls until the fourth call, that after step 6.
      if problem.validationCalls == 4 { best = problem.bits }
      return Double(abs(problem.validationCalls - 4))
    }
    let result = try loop.run(folder: hasFolder ? folder.url : nil)
    #expect(result.steps == 12 && result.stoppedEarly)
    #expect(result.restored == TrainingResult.Validation(step: 6, loss: 0))
    #expect(problem.bits == best)
  }

  @Test("a start that is better than all that follows is the result")
  func startIsBest() throws {
    let problem = Problem()
    let start = problem.bits
    var loop = problem.loop(AdamW(), options())
    loop.validationLoss = {
      problem.validationCalls += 1
      return Double(problem.validationCalls)
    }
    #expect(try loop.run().restored?.step == 0)
    #expect(problem.bits == start)
  }

  @Test("without validation the average of the steps is the result")
  func average() throws {
    let (plain, averaged) = (Problem(), Problem())
    var expected = plain.matrix.value
    var loop = plain.loop(AdamW(), options())
    loop.validationLoss = nil
    loop.onProgress = { _ in
      expected = expected.scaled(by: 0.75)
      expected.add(plain.matrix.value, scale: 0.25)
    }
    _ = try loop.run()
    var averaging = options()
    averaging.average = MovingAverage.Options(decay: 0.75, warmsUp: false)
    var other = averaged.loop(AdamW(), averaging)
    other.validationLoss = nil
    #expect(try other.run().restored == nil)
    #expect(difference(averaged.matrix.value, expected, absolute: 1e-5) == nil)
  }

  @Test(
    "a loss that is not finite ends training before it does harm",
    arguments: [Float.nan, .infinity]
  )
  func notFiniteLoss(value: Float) throws {
    let folder = try TemporaryFolder()
    let problem = Problem()
    problem.counts = [2, 2]
    var options = options()
    options.partsPerStep = 2
    options.checkpointInterval = 1
    var loop = problem.loop(AdamW(), options)
    loop.loss = { batch in
      let loss = problem.loss(batch)
      guard batch.step == 4 else { return loss }
      let broken = Tensor([value], shape: [])
      return broken.recorded("broken", [loss]) { _, _ in [broken] }
    }
    let before = Problem()
    before.counts = [2, 2]
    var short = before.loop(AdamW(), options)
    short.onProgress = { if $0.step == 3 { throw Killed() } }
    #expect(throws: Killed.self) { try short.run() }
    let error = #expect(throws: TrainingError.self) { try loop.run(folder: folder.url) }
    #expect(error?.code == .notFinite && error?.location == "step 4, part 1")
    #expect(error?.description.contains("learning rate") == true)
    #expect(problem.bits == before.bits)
    #expect(try folder.names(in: "state").contains("tensors-000003.safetensors"))
  }

  @Test("a gradient that is not finite is named", arguments: [nil, 1.0])
  func notFiniteGradient(clipNorm: Double?) throws {
    let problem = Problem()
    var options = options()
    options.clipNorm = clipNorm
    var loop = problem.loop(AdamW(), options)
    loop.loss = { batch in
      let loss = problem.loss(batch)
      return loss.detached.recorded("broken", [problem.vector.value, loss]) { dy, _ in
        [Tensor([Float](repeating: batch.step == 2 ? .nan : 0, count: 64)), dy]
      }
    }
    let error = #expect(throws: TrainingError.self) { try loop.run() }
    #expect(error?.code == .notFinite && error?.location == "step 2")
    #expect(error?.problem.contains("layer.bias") == true)
  }

  @Test("a step without a counted token changes nothing")
  func noTokens() throws {
    let problem = Problem()
    let before = problem.vector.value.elements(as: Float.self)
    problem.counts = [0]
    let result = try problem.loop(AdamW(), options()).run()
    #expect(result.tokenCount == 0)
    #expect(problem.vector.value.elements(as: Float.self) == before)
  }

  @Test("options that cannot work are errors before anything runs")
  func invalidOptions() {
    let problem = Problem()
    let changes: [(inout TrainingOptions) -> Void] = [
      { $0.partsPerStep = 0 }, { $0.clipNorm = 0 }, { $0.clipNorm = .nan },
      { $0.average = MovingAverage.Options(decay: 1) }, { $0.validationInterval = 0 },
      { $0.patience = -1 }, { $0.checkpointInterval = 0 }, { $0.checkpointTime = .zero },
      { $0.minimumImprovement = .nan }, { $0.schedule.steps = 0 },
      { $0.groups = ParameterGroups([ParameterGroup("nothing")]) },
    ]
    for change in changes {
      var options = options()
      change(&options)
      let error = #expect(throws: TrainingError.self) {
        try problem.loop(AdamW(), options).run()
      }
      #expect(error?.code == .invalidOptions)
    }
    var options = options()
    options.patience = 2
    var loop = problem.loop(AdamW(), options)
    loop.validationLoss = nil
    #expect(throws: TrainingError.self) { try loop.run() }
    loop.parameters = []
    #expect(throws: TrainingError.self) { try loop.run() }
  }
}
