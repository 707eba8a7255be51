internal import Checkpoints
public import Foundation
internal import Tokenizers

/// What belongs to a model beside its weights: configuration, vocabulary, chat template.
///
/// A Hugging Face folder has them as files; a GGUF file as metadata, from which the same files
/// are made.
public struct ModelCompanions: Sendable {
  /// A file to put beside the weights.
  public struct File: Sendable {
    /// The file's name, such as `tokenizer.json`.
    public let name: String
    let content: @Sendable () throws -> Data

    /// Reads or makes the content.
    public func read() throws -> Data { try content() }
  }

  /// config.json, without a quantization section.
  public let configuration: JSONValue
  /// The other files, by name.
  public let files: [File]
  /// What the user named: a folder, or a file, beside which lie the companions.
  public let origin: URL
  /// What the model calls itself, or else its file's or folder's name.
  public let name: String
  private let makeTokenizer: @Sendable () throws -> Tokenizer

  init(
    configuration: JSONValue,
    files: [File],
    origin: URL,
    name: String,
    tokenizer: @escaping @Sendable () throws -> Tokenizer
  ) {
    self.configuration = configuration
    self.files = files
    self.origin = origin
    self.name = name
    self.makeTokenizer = tokenizer
  }

  /// The companions of a model that another one was made into: the same with another config.json.
  init(replacing configuration: JSONValue, in companions: ModelCompanions) {
    self.init(
      configuration: configuration,
      files: companions.files,
      origin: companions.origin,
      name: companions.name,
      tokenizer: companions.makeTokenizer
    )
  }

  func tokenizer() throws -> Tokenizer { try makeTokenizer() }

  /// The chat template in Jinja, if the model has one.
  public func chatTemplate() throws -> String? {
    if let file = files.first(where: { $0.name == "chat_template.jinja" }) {
      return String(decoding: try file.read(), as: UTF8.self)
    }
    guard let file = files.first(where: { $0.name == "tokenizer_config.json" }) else { return nil }
    let template = try JSONDecoder().decode(JSONValue.self, from: file.read())["chat_template"]
    // Models with templates for several purposes list them by name.
    let usual = template?.array?.first { $0["name"]?.string == "default" }
    return template?.string ?? usual?["template"]?.string
  }

  /// The texts of the special tokens that chat templates refer to, such as `eos_token`.
  package func specialTokens() throws -> [(name: String, text: String)] {
    guard let file = files.first(where: { $0.name == "tokenizer_config.json" }) else { return [] }
    let json = try JSONDecoder().decode(JSONValue.self, from: file.read())
    return ["bos_token", "eos_token", "pad_token", "unk_token"].compactMap { name in
      let text = json[name]?.string ?? json[name]?["content"]?.string
      return text.map { (name, $0) }
    }
  }
}

// MARK: - Hugging Face folders

extension ModelCompanions {
  /// Files that describe a model and are carried over to every folder made of it.
  package static let carried = [
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt", "generation_config.json",
    "chat_template.jinja", "chat_template.json",
  ]

  /// The companions in a Hugging Face folder.
  static func folder(_ folder: URL, configuration: JSONValue, origin: URL) -> ModelCompanions {
    var plain = configuration
    plain["quantization_config"] = nil
    // MLX's name for it.
    plain["quantization"] = nil
    let name = configuration["_name_or_path"]?.string.flatMap { $0.split(separator: "/").last }
    return ModelCompanions(
      configuration: plain,
      files: carriedFiles(in: folder),
      origin: origin,
      name: name.map(String.init) ?? folder.lastPathComponent
    ) { try folderTokenizer(folder) }
  }

  /// The files of a folder that are carried over.
  static func carriedFiles(in folder: URL) -> [File] {
    carried.compactMap { name in
      let url = folder.appending(path: name)
      guard FileManager.default.fileExists(atPath: url.path) else { return nil }
      return File(name: name) { try readFile(url) }
    }
  }

  /// The tokenizer in a Hugging Face folder.
  static func folderTokenizer(_ folder: URL) throws -> Tokenizer {
    let url = folder.appending(path: "tokenizer.json")
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw ModelError(
        .unreadable,
        "there is no tokenizer.json",
        at: folder.path,
        remedy: "put the file of the original model beside the weights"
      )
    }
    let settings = try tokenizerSettings(folder)
    return try Tokenizer(
      tokenizerJSON: readFile(url),
      source: url.path,
      beginningOfText: settings.beginning,
      endOfText: settings.end
    )
  }

  /// The texts of the tokens that begin and end a text, from tokenizer_config.json.
  private static func tokenizerSettings(
    _ folder: URL
  ) throws -> (beginning: String?, end: String?) {
    let url = folder.appending(path: "tokenizer_config.json")
    guard FileManager.default.fileExists(atPath: url.path) else { return (nil, nil) }
    let json = try readJSON(url)
    func token(_ key: String) -> String? { json[key]?.string ?? json[key]?["content"]?.string }
    return (token("bos_token"), token("eos_token"))
  }
}

/// Reads a file, or says which could not be read and why.
func readFile(_ url: URL) throws(ModelError) -> Data {
  do {
    return try Data(contentsOf: url)
  } catch {
    throw ModelError(
      .unreadable,
      "the file cannot be read (\(error.localizedDescription))",
      at: url.path,
      remedy: "check that it exists and that you may read it"
    )
  }
}

/// Reads a JSON file, or says where it is broken.
package func readJSON(_ url: URL) throws(ModelError) -> JSONValue {
  let data = try readFile(url)
  do {
    return try JSONDecoder().decode(JSONValue.self, from: data)
  } catch {
    let detail = (error as? DecodingError).flatMap { error -> String? in
      if case .dataCorrupted(let context) = error {
        return context.underlyingError.map { "\($0)" } ?? context.debugDescription
      }
      return nil
    }
    throw ModelError(
      .invalid,
      "the file is not valid JSON\(detail.map { " (\($0))" } ?? "")",
      at: url.path,
      remedy: "fetch it again; it may be cut short"
    )
  }
}
