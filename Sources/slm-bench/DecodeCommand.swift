internal import ArgumentParser
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
    var produced = 0
    let time = Measurement(repeating: options.repeat) {
      // The end of text never stops the measurement: greedy tokens are fed back as they come.
      let cache = KeyValueCache(model.configuration, capacity: tokens + 1)
      var token: Int32 = 1
      var sampler = Sampler(Sampling())
      produced = 0
      for _ in 0..<tokens {
        let hidden = model.hidden([[token]], cache: cache)
        token = sampler.next(model.logits(hidden).elements(as: Float.self))
        produced += 1
      }
    }
    let rate = Double(produced) / time.best
    try report(
      "Generation of \(tokens) tokens from one",
      [
        ("tokens_per_second", rate),
        ("tokens_per_second_median", Double(produced) / time.median),
        ("weight_gigabytes_per_second", rate * bytes / 1e9),
        ("copy_gigabytes_per_second", copy),
      ],
      json: options.json
    )
  }
}
