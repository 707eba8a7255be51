internal import ArgumentParser
internal import Foundation
internal import Models
internal import Tensor
internal import Train

/// Times steps of training: forward, backward and AdamW on random tokens.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Time training steps, by operation, with the memory they take."
  )

  @Argument(help: "A model: a folder or a GGUF file.")
  var model: String

  @Option(help: "Sequences in a step.")
  var batch = 4

  @Option(help: "Tokens in a sequence.")
  var length = 256

  @Option(help: "Products in float32 or bfloat16.")
  var compute = "float32"

  @Option(help: "What is computed again: none, feed_forward or blocks.")
  var recompute = "none"

  @Flag(help: "Store AdamW's moments in 8 bits.")
  var eightBit = false

  @Flag(help: "Clip gradients, which needs all of them at once.")
  var clip = false

  @Option(help: "Train adapters of this rank on all linear layers instead of everything.")
  var lora: Int?

  @OptionGroup var options: MeasurementOptions

  func run() throws {
    let model = try ModelLoader.load(named: model)
    guard let precision = ProductPrecision(rawValue: compute),
      let recomputation = Recomputation(rawValue: recompute)
    else { throw ValidationError("see --help for the values of --compute and --recompute") }
    guard batch > 0, (1...model.configuration.contextLength).contains(length) else {
      throw ValidationError("--length must lie in 1...\(model.configuration.contextLength)")
    }
    let ceiling = MachineCeiling.sgemm()
    let parameters =
      lora.map { rank in
        model.addAdapters(rank: rank, alpha: 16, seed: 1, precision: precision) {
          $0.hasPrefix("model.layers.")
        }.flatMap(\.parameters)
      } ?? model.makeTrainable(precision: precision) { _ in true }
    let moments = eightBit ? AdamW.Moments.eightBit : .full
    let vocabulary = UInt64(model.configuration.vocabularySize)
    var random = Random(seed: 1)
    var settings = TrainingOptions(
      schedule: .constant(peak: 1e-5, steps: options.repeat + 1)
    )
    settings.clipNorm = clip ? 1 : nil
    settings.checkpointTime = nil
    var marks: [ContinuousClock.Instant] = []
    let loop = TrainingLoop<[Int32]>(
      parameters: parameters,
      optimizer: AdamW(moments: moments),
      options: settings,
      batch: { _, _ in
        marks.append(.now)
        return (0..<batch * (length + 1)).map { _ in Int32(random.next() % vocabulary) }
      },
      tokenCount: { _ in batch * length },
      loss: { tokens in
        var (inputs, targets): ([Int32], [Int32]) = ([], [])
        for row in 0..<batch {
          let first = row * (length + 1)
          inputs += tokens[first..<first + length]
          targets += tokens[first + 1...first + length]
        }
        return model.trainingLoss(
          inputs,
          targets: targets,
          rows: batch,
          recomputation: recomputation
        )
      }
    )
    let times = try OperationClock.measureAll { _ = try loop.run() }
    marks.append(.now)
    let seconds = zip(marks, marks.dropFirst()).dropFirst().map { ($1 - $0) / .seconds(1) }.sorted()
    let whole = (marks[marks.count - 1] - marks[0]) / .seconds(1)
    let median = seconds[seconds.count / 2]
    let operations = model.configuration.trainingOperations(rows: batch, tokens: length)
    let rate = operations / median / 1e9
    var numbers: [(name: String, value: Double)] = [
      ("tokens_per_second", Double(batch * length) / median),
      ("tokens_per_second_best", Double(batch * length) / seconds[0]),
      ("seconds_per_step", median), ("peak_mebibytes", peakMebibytes),
      ("gigaflops_per_second", rate), ("openblas_sgemm_gigaflops_per_second", ceiling),
      ("fraction_of_openblas_sgemm", rate / ceiling),
    ]
    var rest = 1.0
    for (name, time) in times.sorted(by: { $0.value > $1.value }) {
      let share = time / .seconds(whole)
      rest -= share
      numbers.append(("share_of_\(name.replacingOccurrences(of: " ", with: "_"))", share))
    }
    numbers.append(("share_of_the_rest", rest))
    try report(
      "Training step of \(batch)×\(length) tokens, \(compute)",
      numbers,
      json: options.json
    )
  }

  /// The most memory that was resident in this process.
  private var peakMebibytes: Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_maxrss) / 1024
  }
}

extension ModelConfiguration {
  /// The multiplications and additions of a step over rows of tokens: forward, and twice as many
  /// backward; of attention only what the causal mask leaves.
  func trainingOperations(rows: Int, tokens: Int) -> Double {
    3 * Double(rows) * forwardOperations(tokens: tokens)
  }
}
