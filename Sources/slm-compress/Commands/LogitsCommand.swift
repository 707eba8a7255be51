import ArgumentParser
import Checkpoints
import Evaluate
import Foundation
import Models
import Tensor

/// `slm-compress logits`: a model's outputs, for comparison with other programs.
struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Writes a model's logits for some tokens to a safetensors file.",
    discussion: """
      The file holds `logits`, float32 [T, V]: row i scores every token of the vocabulary as the \
      successor of token i.

      Example:
        slm-compress logits models/SmolLM2-135M --tokens 19556,28,905 --output logits.safetensors

      Exit status: 0 written, 1 writing failed, 2 bad model or ids.
      """
  )

  @Argument(help: "A Hugging Face folder, a GGUF file, or a model's name in the hub's cache.")
  var model: String

  @Option(help: "Token ids, separated by commas.")
  var tokens: String

  @Option(help: "The file to write.")
  var output: String

  /// Positions whose logits are in memory at a time.
  private static let chunk = 64

  func run() throws {
    try reportingInputErrors {
      let loaded = try ModelLoader.load(named: model)
      let configuration = loaded.configuration
      let ids = try tokenIDs(tokens, below: configuration.vocabularySize)
      let shape: Shape = [ids.count, configuration.hiddenSize]
      let hidden = loaded.hidden([ids]).reshaped(shape)  // [T, D]
      var writer = try SafetensorsWriter(
        path: output,
        tensors: [
          TensorDeclaration(
            "logits",
            dtype: .float32,
            shape: [ids.count, configuration.vocabularySize]
          )
        ]
      )
      for start in stride(from: 0, to: ids.count, by: Self.chunk) {
        let rows = hidden.rows(start..<min(start + Self.chunk, ids.count))
        try writer.append(loaded.logits(rows), to: "logits")
      }
      try writer.finish()
    }
  }
}
