import ArgumentParser
import Datasets
import Foundation
import Models
import Tokenizers

/// `slm-compress tokenize`: text to token ids, and back.
struct TokenizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenize",
    abstract: "Turns text into a model's token ids, or ids into text.",
    discussion: """
      Reads --text, --file or standard input and prints the ids separated by spaces. With --json, \
      prints every id with its token as the vocabulary writes it.

      Examples:
        slm-compress tokenize models/SmolLM2-135M --text "Hello, world"
        slm-compress tokenize model.gguf --file notes.txt --json
        slm-compress tokenize model.gguf --decode "19556 28 905"

      Exit status: 0 done, 2 bad model, text or ids.
      """
  )

  @Argument(help: "A Hugging Face folder, a GGUF file, or a model's name in the hub's cache.")
  var model: String

  @Option(help: "The text.")
  var text: String?

  @Option(help: "A UTF-8 file with the text.")
  var file: String?

  @Option(help: ArgumentHelp("Ids to turn into text instead.", valueName: "ids"))
  var decode: String?

  @Flag(help: "Add the tokens that the tokenizer puts around a text.")
  var specialTokens = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    guard [text, file, decode].compactMap(\.self).count <= 1 else {
      throw argumentError("--text, --file and --decode exclude each other", "give one of them")
    }
    try reportingInputErrors {
      let tokenizer = try ModelLoader.load(named: model).tokenizer()
      if let decode {
        let text = try tokenizer.decode(tokenIDs(decode, below: tokenizer.vocabularySize))
        if json { try printJSON(["text": text]) } else { print(text) }
        return
      }
      let ids = try tokenizer.encode(input(), addSpecialTokens: specialTokens)
      if json {
        let tokens = ids.map { tokenizer.token($0) ?? "" }
        try printJSON(Tokens(count: ids.count, ids: ids, tokens: tokens))
      } else {
        print(ids.map(String.init).joined(separator: " "))
      }
    }
  }

  private struct Tokens: Encodable {
    var count: Int
    var ids: [Int32]
    var tokens: [String]
  }

  private func input() throws -> String {
    if let text { return text }
    if let file { return try TextSource.file(URL(filePath: file)).read() }
    return try TextSource.text(
      [UInt8](FileHandle.standardInput.readDataToEndOfFile()),
      at: "standard input"
    )
  }
}
