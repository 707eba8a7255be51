public import Foundation
internal import Tokenizers

/// The tokenizer that a new model gets, with the files that describe it.
public struct NewTokenizer: Sendable {
  let tokenizer: Tokenizer
  /// tokenizer_config.json, but for what depends on the model.
  let settings: JSONValue
  /// tokenizer.json, and whatever else goes with it.
  let files: [ModelCompanions.File]
  /// Where it comes from, for errors.
  let source: String
  /// The tokens that end a text or a message.
  let endOfText: [Int32]
  /// The token that fills short sequences of a batch.
  let padding: Int32?

  /// The token that begins a text.
  var beginningOfText: Int32? { tokenizer.beginningOfText }
  /// One more than the largest id.
  public var tokenCount: Int { tokenizer.vocabularySize }

  /// Takes the tokenizer of a model, with its chat template.
  ///
  /// - Parameter folder: A folder with tokenizer.json; tokenizer_config.json in it names the tokens
  ///   that begin and end a text.
  /// - Throws: ``ModelError`` if a file is missing or cannot be read, `TokenizerError` if it is not
  ///   understood.
  public init(folder: URL) throws {
    tokenizer = try ModelCompanions.folderTokenizer(folder)
    let url = folder.appending(path: "tokenizer_config.json")
    let hasSettings = FileManager.default.fileExists(atPath: url.path)
    let settings = hasSettings ? try readJSON(url) : Self.plainSettings
    // How another model generates is no matter of its tokenizer.
    let written = ["tokenizer_config.json", "generation_config.json"]
    files = ModelCompanions.carriedFiles(in: folder).filter { !written.contains($0.name) }
    self.settings = settings
    source = folder.path
    endOfText = [tokenizer.endOfText].compactMap(\.self)
    let token = settings["pad_token"]?.string ?? settings["pad_token"]?["content"]?.string
    padding = token.flatMap(tokenizer.id(of:))
  }

  /// Takes a tokenizer.json alone, which does not say which tokens begin and end a text.
  ///
  /// - Throws: ``ModelError`` if the file cannot be read, `TokenizerError` if it is not understood.
  public init(file: URL) throws {
    let data = try readFile(file)
    tokenizer = try Tokenizer(tokenizerJSON: data, source: file.path)
    settings = Self.plainSettings
    files = [ModelCompanions.File(name: "tokenizer.json") { data }]
    source = file.path
    endOfText = []
    padding = nil
  }

  /// Trains a byte-level tokenizer with the tokens of a chat.
  ///
  /// `<|endoftext|>` begins, ends and pads texts; `<|im_start|>` and `<|im_end|>` begin and end the
  /// messages of a chat, in the form called ChatML.
  ///
  /// - Parameters:
  ///   - texts: What to train on; not all are empty.
  ///   - vocabularySize: How many tokens there are at most, from ``leastTrainedSize``.
  /// - Throws: `TokenizerError` if there is no text or the vocabulary is too small.
  public init(trainedOn texts: [String], vocabularySize: Int) throws {
    let text = Self.specialTokens[0]
    tokenizer = try trainedTokenizer(
      on: texts,
      vocabularySize: vocabularySize,
      specialTokens: Self.specialTokens,
      endOfText: text
    )
    source = "the trained tokenizer"
    let data = try tokenizer.tokenizerJSON()
    files = [ModelCompanions.File(name: "tokenizer.json") { data }]
    var settings = Self.plainSettings
    for key in ["bos_token", "eos_token", "pad_token"] { settings[key] = .string(text) }
    settings["add_bos_token"] = .bool(false)
    settings["additional_special_tokens"] = .array(
      Self.specialTokens.dropFirst().map { .string($0) }
    )
    settings["chat_template"] = .string(Self.chatTemplate)
    self.settings = settings
    endOfText = [Self.specialTokens[0], Self.specialTokens[2]].compactMap(tokenizer.id(of:))
    padding = tokenizer.endOfText
  }

  /// The tokens of a trained tokenizer that no text contains, in the order of their ids.
  static let specialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

  /// The least number of tokens that a tokenizer trained here can have: one per byte, and the
  /// special ones.
  public static let leastTrainedSize = 256 + specialTokens.count

  private static let plainSettings = JSONValue.object([
    "tokenizer_class": .string("PreTrainedTokenizerFast"),
    "clean_up_tokenization_spaces": .bool(false),
  ])

  /// Each message between its marks, on lines of its own.
  private static let chatTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' "
    + "+ message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
}
