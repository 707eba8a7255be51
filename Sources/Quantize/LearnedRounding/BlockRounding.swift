internal import CKernels
internal import Calibrate
internal import Models
internal import Tensor

/// Learns how the weights of one block are rounded.
///
/// Each weight is moved by up to half a code before it is rounded, and each scale (and offset) by up
/// to half of itself; a step moves all of them by the sign of the gradient of the squared error of
/// the block's output, by less and less. The parameters with the least error over all sequences
/// are kept, the start included.
///
/// Source: Cheng et al., *Optimize Weight Rounding via Signed Gradient Descent for the Quantization
/// of LLMs* (AutoRound), 2023, arXiv:2309.05516, section 3 and algorithm 1. Differs from it in
/// starting from scales found by search, in moving scales (and offsets) themselves both ways
/// instead of shrinking the range's two ends, in leaving integer zeros as they are, and in choosing
/// among measurements over all sequences, with scales rounded as they are stored, instead of the
/// losses of single steps.
struct BlockRounding {
  let block: WholeBlock
  let weights: [TunedWeight]
  let options: LearnedRoundingOptions
  let seed: UInt64

  /// The mean squared error of the block's outputs before and after, relative to their squares.
  struct Result {
    var nearest = 0.0
    var learned = 0.0
  }

  /// Steps, and leaves the parameters at the best that was found.
  func run() throws -> Result {
    let parameters = weights.flatMap(\.parameters)
    var best = parameters.map(\.value)
    let start = try error()
    var least = start.squared
    let measured = max(1, (options.iterations + 3) / 4)
    var order = SequenceOrder(count: block.sequenceCount, seed: seed)
    for step in 0..<options.iterations {
      let share = 1 - Double(step) / Double(options.iterations)
      try takeStep(order.next(options.batch), parameters, share: share)
      let isLast = step + 1 == options.iterations
      guard isLast || (step + 1).isMultiple(of: measured) else { continue }
      let found = try error().squared
      if found < least {
        least = found
        best = parameters.map(\.value)
      }
    }
    for (parameter, value) in zip(parameters, best) { parameter.value = value }
    let norm = max(start.norm, .leastNormalMagnitude)
    return Result(nearest: start.squared / norm, learned: least / norm)
  }

  private func takeStep(_ sequences: [Int], _ parameters: [Parameter], share: Double) throws {
    let inputs = Tensor.concatenated(try sequences.map { try block.inputs($0..<$0 + 1) })
    let targets = Tensor.concatenated(try sequences.map { try block.targets($0..<$0 + 1) })
    let rates = options.rates
    _ = differentiate(
      parameters,
      { block(inputs).meanSquaredError(targets) },
      whenComplete: { parameter, gradient in
        let isCode = parameter.name.hasSuffix("weight_codes")
        let rate = share * (isCode ? rates.codes : rates.scales)
        guard rate > 0 else { return }
        parameter.update { $0.step(against: gradient, rate: rate, limit: 0.5) }
      }
    )
  }

  /// The squared error of the outputs over all sequences, and their squares.
  private func error() throws -> (squared: Double, norm: Double) {
    for weight in weights { weight.isRounded = true }
    defer { for weight in weights { weight.isRounded = false } }
    var (squared, norm) = (0.0, 0.0)
    let size = options.batch
    for first in stride(from: 0, to: block.sequenceCount, by: size) {
      let range = first..<min(first + size, block.sequenceCount)
      let targets = try block.targets(range)
      squared += (block(try block.inputs(range)) - targets).sumOfSquares()
      norm += targets.sumOfSquares()
    }
    return (squared, norm)
  }
}

/// Sequences in a random order, each once before any comes again.
struct SequenceOrder {
  private let count: Int
  private var random: Random
  private var waiting: [Int] = []

  init(count: Int, seed: UInt64) {
    self.count = count
    random = Random(seed: seed)
  }

  /// The next numbers, at most as many as there are.
  mutating func next(_ size: Int) -> [Int] {
    (0..<min(size, count)).map { _ in
      if waiting.isEmpty { waiting = Array(0..<count) }
      let place = Int(random.uniform() * Double(waiting.count))
      return waiting.remove(at: min(place, waiting.count - 1))
    }
  }
}

extension Tensor {
  /// Moves every element by `rate` against the sign of its derivative, inside of ±`limit`.
  fileprivate mutating func step(against gradient: Tensor, rate: Double, limit: Double) {
    let count = count
    withMutableElements(as: Float.self) { values in
      let target = Shared(values.baseAddress)
      let source = Shared(gradient.unsafeBase)
      parallelRanges(count, grain: 1 << 16) { range in
        guard let base = target.pointer else { return }
        slm_sign_step(
          base + range.lowerBound,
          source.pointer.assumingMemoryBound(to: Float.self) + range.lowerBound,
          Int64(range.count),
          Float(rate),
          Float(limit)
        )
      }
    }
    withExtendedLifetime(gradient) {}
  }
}
