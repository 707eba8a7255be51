internal import ArgumentParser
internal import Foundation
internal import Models
internal import Tokenizers

/// Times the tokenizer on one thread.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Time the tokenizer on a text, on one thread."
  )

  @Argument(help: "A model: a folder or a GGUF file.")
  var model: String

  @Argument(help: "A text file.")
  var text: String

  @OptionGroup var options: MeasurementOptions

  func run() throws {
    let tokenizer = try ModelLoader.load(named: model).tokenizer()
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: text)))
    var count = 0
    let time = try Measurement(repeating: options.repeat) {
      count = try tokenizer.encode(bytes: bytes, addSpecialTokens: false).count
    }
    try report(
      "Tokenizing \(text)",
      [
        ("megabytes_per_second", Double(bytes.count) / 1e6 / time.best),
        ("tokens_per_second", Double(count) / time.best),
        ("tokens", Double(count)),
      ],
      json: options.json
    )
  }
}
