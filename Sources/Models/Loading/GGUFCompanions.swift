internal import Checkpoints
internal import Foundation
internal import Tokenizers

extension ModelCompanions {
  /// What a GGUF file's metadata say, as the files of a Hugging Face folder.
  static func gguf(_ file: GGUFFile, _ configuration: ModelConfiguration) -> ModelCompanions {
    let metadata = file.metadata
    let path = file.file.path
    let tokenizer = { @Sendable in
      try Tokenizer(try GGUFVocabulary(metadata, file: path), source: path)
    }
    var files: [File] = []
    if metadata["tokenizer.ggml.model"] != nil {
      files = [
        File(name: "tokenizer.json") { try tokenizer().tokenizerJSON() },
        File(name: "tokenizer_config.json") {
          try tokenizerSettings(metadata, configuration).text()
        },
        File(name: "generation_config.json") { try generationSettings(configuration).text() },
      ]
    }
    let url = URL(filePath: path)
    let name = metadata["general.name"]?.string ?? url.deletingPathExtension().lastPathComponent
    var json = configuration.json(dtype: "float32")
    json["_name_or_path"] = .string(name)
    return ModelCompanions(
      configuration: json,
      files: files,
      origin: url,
      name: name,
      tokenizer: tokenizer
    )
  }

  private static func tokenizerSettings(
    _ metadata: GGUFMetadata,
    _ configuration: ModelConfiguration
  ) throws -> JSONValue {
    let tokens = try metadata.strings("tokenizer.ggml.tokens")
    var members: [String: JSONValue] = [
      "tokenizer_class": .string("PreTrainedTokenizerFast"),
      "model_max_length": .integer(configuration.contextLength),
      "clean_up_tokenization_spaces": .bool(false),
    ]
    for (key, name) in [
      ("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"),
      ("pad_token", "padding"),
    ] {
      guard let id = metadata["tokenizer.ggml.\(name)_token_id"]?.integer,
        tokens.indices.contains(id)
      else { continue }
      members[key] = .string(tokens[id])
    }
    if let adds = metadata["tokenizer.ggml.add_bos_token"]?.bool {
      members["add_bos_token"] = .bool(adds)
    }
    if let template = metadata["tokenizer.chat_template"]?.string {
      members["chat_template"] = .string(template)
    }
    return .object(members)
  }

  private static func generationSettings(_ configuration: ModelConfiguration) -> JSONValue {
    let all = configuration.json(dtype: "float32")
    var members: [String: JSONValue] = ["_from_model_config": .bool(true)]
    members["bos_token_id"] = all["bos_token_id"]
    members["eos_token_id"] = all["eos_token_id"]
    return .object(members)
  }
}

extension GGUFVocabulary {
  /// Collects the vocabulary from a file's metadata.
  init(_ metadata: GGUFMetadata, file: String) throws {
    guard metadata["tokenizer.ggml.model"] != nil else {
      throw ModelError(
        .unreadable,
        "the file has no vocabulary",
        at: "\(file): tokenizer.ggml.model",
        remedy: "use a GGUF file made with its tokenizer"
      )
    }
    func id(_ name: String) -> Int32? {
      metadata["tokenizer.ggml.\(name)_token_id"]?.integer.flatMap(Int32.init(exactly:))
    }
    func has(_ name: String) -> Bool { metadata["tokenizer.ggml.\(name)"] != nil }
    self.init(
      model: try metadata.string("tokenizer.ggml.model"),
      pre: metadata["tokenizer.ggml.pre"]?.string,
      tokens: try metadata.strings("tokenizer.ggml.tokens"),
      scores: has("scores") ? try metadata.reals("tokenizer.ggml.scores").map(Float.init) : [],
      tokenTypes: has("token_type")
        ? try metadata.integers("tokenizer.ggml.token_type").map { Int32(truncatingIfNeeded: $0) }
        : [],
      merges: has("merges") ? try metadata.strings("tokenizer.ggml.merges") : [],
      beginningOfText: id("bos"),
      endOfText: id("eos"),
      unknown: id("unknown"),
      padding: id("padding"),
      addsBeginningOfText: metadata["tokenizer.ggml.add_bos_token"]?.bool,
      addsEndOfText: metadata["tokenizer.ggml.add_eos_token"]?.bool,
      addsSpacePrefix: metadata["tokenizer.ggml.add_space_prefix"]?.bool
    )
  }
}
