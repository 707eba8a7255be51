internal import ArgumentParser
internal import Foundation
internal import Models
internal import Tensor

/// Times generation token by token.
struct DecodeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decode",
    abstract: "Time generation, one token at a time."
  )

  @Argument(help: "A model: a folder or a GGUF file.")
  var model: String

  @Option(help: "Tokens to generate.")
  var tokens = 64

  @Flag(
    help: """
      Multiply in integers: the blocks' inputs rounded to 8 bits a token, and their weights, unless \
      they are integer codes around zero, to 8 bits a channel.
      """
  )
  var integers = false

  @OptionGroup var options: MeasurementOptions

  func run() throws {
    let model = try ModelLoader.load(named: model)
    if integers {
      for linear in model.linears { try linear.makeInteger() }
    }
    let bytes = Double(model.outline.parts.reduce(0) { $0 + $1.byteCount })
    let copy = MachineCeiling.copy()
    // The end of text never stops the measurement: greedy tokens are fed back as they come.
    func generate() {
      let cache = KeyValueCache(model.configuration, capacity: tokens + 1)
      var token: Int32 = 1
      var sampler = Sampler(Sampling())
      for _ in 0..<tokens {
        let hidden = model.hidden([[token]], cache: cache)
        let logits = model.logits(hidden)
        token = OperationClock.measure("sampling") {
          sampler.next(logits.elements(as: Float.self))
        }
      }
    }
    let time = Measurement(repeating: options.repeat) { generate() }
    let state = model.hidden([[1]])
    let head = Measurement(repeating: 5 * options.repeat) { _ = model.logits(state) }
    let clock = ContinuousClock()
    var whole = Duration.zero
    let times = OperationClock.measureAll { whole = clock.measure { generate() } }
    let rate = Double(tokens) / time.best
    var shares: [(name: String, value: Double)] = []
    var rest = 1.0
    for (name, time) in times.sorted(by: { $0.value > $1.value }) {
      rest -= time / whole
      shares.append(("share_of_\(name.replacingOccurrences(of: " ", with: "_"))", time / whole))
    }
    shares.append(("share_of_the_rest", rest))
    try report(
      "Generation of \(tokens) tokens from one",
      [
        ("tokens_per_second", rate),
        ("tokens_per_second_median", Double(tokens) / time.median),
        ("weight_gigabytes_per_second", rate * bytes / 1e9),
        ("copy_gigabytes_per_second", copy),
        ("milliseconds_per_token", time.best / Double(tokens) * 1e3),
        ("head_milliseconds", head.best * 1e3),
      ] + shares,
      json: options.json
    )
  }
}
