internal import Checkpoints
internal import Models
internal import Tensor

extension GGUFFormat {
  /// The file's metadata, under the names that llama.cpp reads.
  ///
  /// Vocabulary and general keys of a model that comes from a GGUF file are carried over.
  ///
  /// - Throws: `TokenizerError` if GGUF has no way to say what the tokenizer does.
  func metadata(_ model: LanguageModel) throws -> GGUFMetadata {
    try model.ggufMetadata { describeQuantization(model, in: &$0) }
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
}
