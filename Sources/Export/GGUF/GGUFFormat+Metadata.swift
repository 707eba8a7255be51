internal import Checkpoints
internal import Foundation
internal import Models
internal import Tensor
internal import Tokenizers

extension GGUFFormat {
  /// The file's metadata, under the names that llama.cpp reads.
  ///
  /// Vocabulary and general keys of a model that comes from a GGUF file are carried over.
  ///
  /// - Throws: `TokenizerError` if GGUF has no way to say what the tokenizer does.
  func metadata(_ model: LanguageModel) throws -> GGUFMetadata {
    let source = try sourceMetadata(model)
    var metadata = GGUFMetadata()
    metadata["general.architecture"] = .string(model.configuration.architecture.ggufName)
    metadata["general.type"] = .string("model")
    metadata["general.name"] = .string(model.companions.name)
    for key in source?.keys ?? [] where key.hasPrefix("general.") && metadata[key] == nil {
      metadata[key] = source?[key]
    }
    metadata["general.alignment"] = nil
    describeQuantization(model, in: &metadata)
    if source == nil { describeOrigin(model, in: &metadata) }
    model.configuration.describe(in: &metadata)
    if let source {
      for key in source.keys where key.hasPrefix("tokenizer.") { metadata[key] = source[key] }
    } else {
      try describeTokenizer(model, in: &metadata)
    }
    return metadata
  }

  /// The metadata of the GGUF file that a model comes from, if its vocabulary is still the
  /// model's.
  private func sourceMetadata(_ model: LanguageModel) throws -> GGUFMetadata? {
    let origin = model.companions.origin
    guard origin.pathExtension.lowercased() == "gguf" else { return nil }
    let metadata = try GGUFFile(path: origin.path).metadata
    let tokens = metadata["tokenizer.ggml.tokens"]?.array
    return tokens?.count == model.configuration.vocabularySize ? metadata : nil
  }

  private func describeQuantization(_ model: LanguageModel, in metadata: inout GGUFMetadata) {
    var counts: [TensorEncoding: Int] = [:]
    for linear in model.linears {
      let encoding = encoding(linear.name, linear.format, linear.columns, model.configuration)
      counts[encoding, default: 0] += linear.rows * linear.columns
    }
    let vocabulary = [model.embedding, model.head].map {
      encoding($0.name, $0.format, $0.columns, model.configuration)
    }
    let main = counts.max { ($0.value, $0.key.description) < ($1.value, $1.key.description) }?.key
    metadata["general.file_type"] = .uint32(
      type.preset?.fileType ?? (main ?? .elements(.float32)).fileType
    )
    let isQuantized = (vocabulary + counts.keys).contains {
      if case .blocks = $0 { true } else { false }
    }
    metadata["general.quantization_version"] = isQuantized ? .uint32(2) : nil
    if isQuantized { metadata["general.quantized_by"] = .string("slm-compress") }
    describeImportance(in: &metadata)
  }

  /// Names the importance matrix under the keys that llama.cpp writes.
  private func describeImportance(in metadata: inout GGUFMetadata) {
    for key in metadata.keys where key.hasPrefix("quantize.imatrix.") { metadata[key] = nil }
    guard let importance else { return }
    // Longer texts are cut by llama.cpp, at a byte.
    func text(_ value: String) -> GGUFValue {
      .string(String(decoding: value.utf8.prefix(127), as: UTF8.self))
    }
    metadata["quantize.imatrix.file"] = importancePath.map(text)
    metadata["quantize.imatrix.dataset"] = importance.datasets.first.map(text)
    metadata["quantize.imatrix.entries_count"] = .uint32(
      UInt32(clamping: importance.entries.count)
    )
    if importance.chunkCount > 0 {
      metadata["quantize.imatrix.chunks_count"] = .uint32(UInt32(clamping: importance.chunkCount))
    }
  }

  /// The model that this one was made of, if it lies in the hub's cache, whose folders
  /// `models--organization--name` say where it comes from.
  private func describeOrigin(_ model: LanguageModel, in metadata: inout GGUFMetadata) {
    let folder = model.companions.origin.pathComponents.last { $0.hasPrefix("models--") }
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

  private func describeTokenizer(_ model: LanguageModel, in metadata: inout GGUFMetadata) throws {
    let tokenizer = try model.tokenizer()
    let vocabulary = try tokenizer.ggufVocabulary(paddedTo: model.configuration.vocabularySize)
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
    set("bos_token_id", token(vocabulary.beginningOfText ?? model.configuration.beginningOfText))
    set("eos_token_id", token(vocabulary.endOfText ?? model.configuration.endOfText.first))
    set("unknown_token_id", token(vocabulary.unknown))
    set("padding_token_id", token(try vocabulary.padding ?? model.paddingToken(tokenizer)))
    set("add_bos_token", vocabulary.addsBeginningOfText.map { .bool($0) })
    set("add_eos_token", vocabulary.addsEndOfText.map { .bool($0) })
    set("add_space_prefix", vocabulary.addsSpacePrefix.map { .bool($0) })
    if let template = try model.companions.chatTemplate() {
      metadata["tokenizer.chat_template"] = .string(template)
    }
  }
}

extension LanguageModel {
  /// The id of `pad_token` in tokenizer_config.json.
  fileprivate func paddingToken(_ tokenizer: Tokenizer) throws -> Int32? {
    guard let file = companions.files.first(where: { $0.name == "tokenizer_config.json" }) else {
      return nil
    }
    let settings = try JSONDecoder().decode(JSONValue.self, from: file.read())
    let token = settings["pad_token"]?.string ?? settings["pad_token"]?["content"]?.string
    return token.flatMap { tokenizer.id(of: $0) }
  }
}
