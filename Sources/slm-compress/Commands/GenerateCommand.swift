import ArgumentParser
import Evaluate
import Foundation
import Models
import Tokenizers

/// `slm-compress generate`: continues a text.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continues a text with a model, token by token.",
    discussion: """
      The text goes to standard output as it is made, the speed to standard error. Without \
      --temperature the most probable token is taken, so that the same model gives the same text.

      Examples:
        slm-compress generate models/SmolLM2-135M --prompt "The capital of France is"
        slm-compress generate model.gguf --prompt "Once" --count 200 --temperature 0.8 --top-k 40 \
      --seed 7

      Exit status: 0 done, 1 the model computes no number or writing failed, 2 bad model or option.
      """
  )

  @Argument(help: "A Hugging Face folder, a GGUF file, or a model's name in the hub's cache.")
  var model: String

  @Option(help: "The text to continue.")
  var prompt: String

  @Option(help: "Most tokens to make.")
  var count = 64

  @Option(help: "How freely tokens are chosen; 0 takes the most probable.")
  var temperature = 0.0

  @Option(help: "Choose among so many of the most probable tokens.")
  var topK: Int?

  @Option(help: "Choose among the most probable tokens that together reach this probability.")
  var topP = 1.0

  @Option(help: "What random choices depend on.")
  var seed: UInt64 = 0

  func run() throws {
    try checkOptions()
    try reportingInputErrors {
      let loaded = try ModelLoader.load(named: model)
      let tokenizer = try loaded.tokenizer()
      let ids = try tokenizer.encode(prompt, addSpecialTokens: true)
      let vocabulary = loaded.configuration.vocabularySize
      guard ids.allSatisfy({ Int($0) < vocabulary }) else {
        throw EvaluateError(
          .tokenOutOfRange,
          "the tokenizer makes ids beyond the vocabulary of \(vocabulary)",
          at: loaded.companions.name,
          remedy: "use the tokenizer that belongs to the model"
        )
      }
      var stream = TokenStream(tokenizer)
      stream.skip(ids)
      var first: ContinuousClock.Instant?
      let start = ContinuousClock.now
      let sampling = Sampling(temperature: temperature, topK: topK, topP: topP, seed: seed)
      let made = try loaded.generate(from: ids, count: count, sampling: sampling) { token in
        if first == nil {
          first = .now
          try printImmediately(prompt)
        }
        try printImmediately(stream.append(token))
        return true
      }
      try printImmediately((made.isEmpty ? prompt : stream.finish()) + "\n")
      printSpeed(prompt: ids.count, made: made.count, start, first ?? .now, .now)
    }
  }

  private func checkOptions() throws {
    guard (1...1_000_000).contains(count) else {
      throw argumentError("--count \(count) is out of range", "give a number from 1 to 1000000")
    }
    guard temperature >= 0, temperature.isFinite else {
      throw argumentError(
        "--temperature \(temperature) is out of range",
        "give a number from 0, such as 0.8"
      )
    }
    guard topK ?? 1 >= 1 else {
      throw argumentError("--top-k must be at least 1", "leave it out to choose among all tokens")
    }
    guard topP > 0, topP <= 1 else {
      throw argumentError("--top-p \(topP) is out of range", "give a number above 0, at most 1")
    }
  }

  /// The first token comes out of the prompt's pass; the rest is decoding.
  private func printSpeed(
    prompt: Int,
    made: Int,
    _ start: ContinuousClock.Instant,
    _ first: ContinuousClock.Instant,
    _ end: ContinuousClock.Instant
  ) {
    let reading = Double(prompt) / max(1e-9, (first - start) / .seconds(1))
    var line = String(format: "prompt: %d tokens, %.1f tokens/s", prompt, reading)
    if made > 1 {
      let writing = Double(made - 1) / max(1e-9, (end - first) / .seconds(1))
      line += String(format: "; made: %d tokens, %.1f tokens/s", made, writing)
    } else {
      line += "; made: \(made) tokens"
    }
    printToStandardError(line)
  }
}
