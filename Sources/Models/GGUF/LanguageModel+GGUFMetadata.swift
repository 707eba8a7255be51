package import Checkpoints
internal import Foundation
internal import Tokenizers

extension LanguageModel {
  /// Returns the metadata of a GGUF file of the model, under the names that llama.cpp reads.
  ///
  /// Vocabulary and general keys of a model that comes from a GGUF file are carried over.
  ///
  /// - Parameters:
  ///   - carriesSource: Whether keys of the model's own GGUF file are carried over, if it comes
  ///     from one; otherwise the metadata are those of a folder made of it.
  ///   - describeQuantization: Adds the keys about formats, after the general ones.
  /// - Returns: The keys and values.
  /// - Throws: `TokenizerError` if GGUF has no way to say what the tokenizer does.
  package func ggufMetadata(
    carriesSource: Bool = true,
    _ describeQuantization: (inout GGUFMetadata) -> Void
  ) throws -> GGUFMetadata {
    let source = carriesSource ? try sourceMetadata() : nil
    var metadata = GGUFMetadata()
    metadata["general.architecture"] = .string(configuration.architecture.ggufName)
    metadata["general.type"] = .string("model")
    metadata["general.name"] = .string(companions.name)
    for key in source?.keys ?? [] where key.hasPrefix("general.") && metadata[key] == nil {
      metadata[key] = source?[key]
    }
    metadata["general.alignment"] = nil
    describeQuantization(&metadata)
    if source == nil { describeOrigin(in: &metadata) }
    configuration.describe(in: &metadata)
    if let source {
      for key in source.keys where key.hasPrefix("tokenizer.") { metadata[key] = source[key] }
    } else {
      try describeTokenizer(in: &metadata)
    }
    return metadata
  }

  /// The metadata of the GGUF file that a model comes from, if its vocabulary is still the
  /// model's.
  private func sourceMetadata() throws -> GGUFMetadata? {
    let origin = companions.origin
    guard origin.pathExtension.lowercased() == "gguf" else { return nil }
    let metadata = try GGUFFile(path: origin.path).metadata
    let tokens = metadata["tokenizer.ggml.tokens"]?.array
    return tokens?.count == configuration.vocabularySize ? metadata : nil
  }

  /// The model that this one was made of, if it lies in the hub's cache, whose folders
  /// `models--organization--name` say where it comes from.
  private func describeOrigin(in metadata: inout GGUFMetadata) {
    let folder = companions.origin.pathComponents.last { $0.hasPrefix("models--") }
    guard let parts = folder?.dropFirst("models--".count).split(separator: "--", maxSplits: 1),
      parts.count == 2
    else { return }
    metadata["general.base_model.count"] = .uint32(1)
    metadata["general.base_model.0.name"] = .string(String(parts[1]))
    metadata["general.base_model.0.organization"] = .string(String(parts[0]))
    metadata["general.base_model.0.repo_url"] = .string(
      "https://huggingface.co/\(parts[0])/\(parts[1])"
    )
  }

  private func describeTokenizer(in metadata: inout GGUFMetadata) throws {
    let tokenizer = try self.tokenizer()
    let vocabulary = try tokenizer.ggufVocabulary(paddedTo: configuration.vocabularySize)
    func set(_ name: String, _ value: GGUFValue?) {
      if let value { metadata["tokenizer.ggml.\(name)"] = value }
    }
    func token(_ id: Int32?) -> GGUFValue? { id.map { .uint32(UInt32(bitPattern: $0)) } }
    set("model", .string(vocabulary.model))
    set("pre", vocabulary.pre.map { .string($0) })
    set("tokens", .array(GGUFArray(vocabulary.tokens)))
    if !vocabulary.scores.isEmpty { set("scores", .array(GGUFArray(vocabulary.scores))) }
    if !vocabulary.tokenTypes.isEmpty {
      set("token_type", .array(GGUFArray(vocabulary.tokenTypes)))
    }
    if vocabulary.model == "gpt2" { set("merges", .array(GGUFArray(vocabulary.merges))) }
    set("bos_token_id", token(vocabulary.beginningOfText ?? configuration.beginningOfText))
    set("eos_token_id", token(vocabulary.endOfText ?? configuration.endOfText.first))
    set("unknown_token_id", token(vocabulary.unknown))
    set("padding_token_id", token(try vocabulary.padding ?? paddingToken(tokenizer)))
    set("add_bos_token", vocabulary.addsBeginningOfText.map { .bool($0) })
    set("add_eos_token", vocabulary.addsEndOfText.map { .bool($0) })
    set("add_space_prefix", vocabulary.addsSpacePrefix.map { .bool($0) })
    if let template = try companions.chatTemplate() {
      metadata["tokenizer.chat_template"] = .string(template)
    }
  }

  /// The id of `pad_token` in tokenizer_config.json.
  private func paddingToken(_ tokenizer: Tokenizer) throws -> Int32? {
    guard let file = companions.files.first(where: { $0.name == "tokenizer_config.json" }) else {
      return nil
    }
    let settings = try JSONDecoder().decode(JSONValue.self, from: file.read())
    let token = settings["pad_token"]?.string ?? settings["pad_token"]?["content"]?.string
    return token.flatMap { tokenizer.id(of: $0) }
  }
}
