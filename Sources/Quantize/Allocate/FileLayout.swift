internal import Checkpoints
internal import Export
internal import Models
internal import Pipeline
internal import Tensor

/// How many bytes a kind of file takes.
protocol FileLayout {
  /// The size of a matrix in its format, up to where the next one can begin.
  func byteCount(of part: ModelPromise.Part) -> Int

  /// The size of the whole file, as reports and gates measure it.
  ///
  /// It is that of all matrices, and something else that grows with them by a little at most.
  ///
  /// - Throws: `CheckpointError` for what such files cannot hold.
  func byteCount(of promise: ModelPromise) throws -> Int
}

/// The safetensors files of a folder.
struct FolderLayout: FileLayout {
  let format: any CodedFolderFormat

  func byteCount(of part: ModelPromise.Part) -> Int { format.tensorByteCount(part) }

  func byteCount(of promise: ModelPromise) throws -> Int {
    try format.weightFileByteCount(promise)
  }
}

/// A GGUF file of tensors as they are in memory.
struct GGUFLayout: FileLayout {
  private let metadata: GGUFMetadata

  /// Takes the vocabulary of a model, or of one that it was made of.
  ///
  /// - Throws: `TokenizerError` if GGUF has no way to say what the tokenizer does.
  init(_ model: LanguageModel) throws {
    var metadata = try model.ggufMetadata(carriesSource: false) { metadata in
      metadata["general.file_type"] = .uint32(0)
      metadata["general.quantization_version"] = .uint32(2)
      metadata["general.quantized_by"] = .string("slm-compress")
    }
    // Formats may be chosen for a model in the hub's cache; the folder does not lie there.
    for key in metadata.keys where key.hasPrefix("general.base_model.") { metadata[key] = nil }
    // What the file of the result says about itself is read from a folder `checkpoint` then.
    let name = model.companions.configuration["_name_or_path"]?.string?.split(separator: "/").last
    metadata["general.name"] = .string(name.map(String.init) ?? "checkpoint")
    self.metadata = metadata
  }

  func byteCount(of part: ModelPromise.Part) -> Int { (part.byteCount + 31) / 32 * 32 }

  func byteCount(of promise: ModelPromise) throws -> Int {
    var declarations: [TensorDeclaration] = []
    func declare(_ name: String, _ encoding: TensorEncoding, _ shape: Shape) {
      let name = GGUFNames.name(of: name) ?? name
      declarations.append(TensorDeclaration(name, encoding, shape: shape))
    }
    for part in promise.parts {
      if part.hasBias { declare("\(part.name).bias", .elements(.float32), [part.shape.rows]) }
      let encoding: TensorEncoding =
        part.isLinear
        ? .lossless(part.format, columns: part.shape.columns) : .elements(.float32)
      declare("\(part.name).weight", encoding, part.shape)
    }
    if let divisors = promise.configuration.rotary.storedDivisors {
      declare("rope_freqs.weight", .elements(.float32), [divisors.count])
    }
    return try GGUFWriter.byteCount(metadata: metadata, tensors: declarations)
  }
}
