internal import ArgumentParser
internal import Foundation
internal import Models
internal import Quantize
internal import Tensor

/// Times the forward pass of evaluation: one window, logits of all positions.
struct ForwardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forward",
    abstract: "Time the forward pass with logits of all positions."
  )

  @Argument(help: "A model: a folder or a GGUF file.")
  var model: String

  @Option(help: "Tokens in the window.")
  var tokens = 512

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
    let configuration = model.configuration
    guard (1...configuration.contextLength).contains(tokens) else {
      throw ValidationError("--tokens must lie in 1...\(configuration.contextLength)")
    }
    if integers {
      for linear in model.linears { try linear.makeInteger() }
    }
    let ids = (0..<tokens).map { Int32($0 * 7919 % min(40_000, configuration.vocabularySize)) }
    let ceiling = MachineCeiling.sgemm()
    let whole = Measurement(repeating: options.repeat) { _ = model.logits(model.hidden([ids])) }
    let hidden = model.hidden([ids])
    let head = Measurement(repeating: options.repeat) { _ = model.logits(hidden) }
    let rate = configuration.forwardOperations(tokens: tokens) / whole.best / 1e9
    let blocks = Measurement(repeating: options.repeat) { _ = model.hidden([ids]) }
    try report(
      "Forward pass of 1×\(tokens) tokens, logits of all positions",
      [
        ("tokens_per_second", Double(tokens) / whole.best),
        ("tokens_per_second_median", Double(tokens) / whole.median),
        ("milliseconds", whole.best * 1e3),
        ("head_milliseconds", head.best * 1e3),
        ("blocks_milliseconds", blocks.best * 1e3),
        ("blocks_tokens_per_second", Double(tokens) / blocks.best),
        ("gigaflops_per_second", rate),
        ("openblas_sgemm_gigaflops_per_second", ceiling),
        ("fraction_of_openblas_sgemm", rate / ceiling),
      ],
      json: options.json
    )
  }
}

extension Linear {
  /// Lets the layer multiply in integers.
  func makeInteger() throws {
    if !weight.matrix.hasIntegerCodes {
      let grid = Grid(bits: 8, groupSize: .channel, scaleType: .float32)
      weight = try roundToNearest(weight.matrix, grid: grid, layer: name).weight
    }
    activation = .dynamicPerToken
  }
}

extension ModelConfiguration {
  /// The multiplications and additions of a forward pass over one sequence, counting of attention
  /// only what the causal mask leaves.
  func forwardOperations(tokens: Int) -> Double {
    let queries = queryHeads * headSize
    let keys = keyHeads * headSize
    let block = hiddenSize * (2 * queries + 2 * keys) + 3 * hiddenSize * feedForwardSize
    let linear = 2.0 * Double(tokens) * Double(layerCount * block + hiddenSize * vocabularySize)
    let pairs = Double(tokens) * Double(tokens + 1) / 2
    return linear + 4 * pairs * Double(queries * layerCount)
  }
}
