internal import Checkpoints
internal import Models
internal import Pipeline
internal import Tensor

/// The GGUF file of a model whose matrices get formats: what can be chosen, and how large the file
/// is then.
struct AllocatedFile {
  /// Matrices that get the same format, since they share an input and are computed together.
  struct Group {
    var names: [String]
    /// The number of weights.
    var count = 0
    let formats: [BlockFormat]
    /// The size in the file with each format, in bytes.
    var byteCounts: [Int]
  }

  /// What is chosen together, in the model's order.
  private(set) var groups: [Group] = []
  /// The size of everything else in the file, in bytes.
  private(set) var fixedByteCount = 0
  /// The number of weights of the model.
  let parameterCount: Int

  /// The least size of the file.
  var smallest: Int {
    groups.reduce(fixedByteCount) { $0 + ($1.byteCounts.min() ?? 0) }
  }
  /// The size of the file with the largest formats.
  var largest: Int {
    groups.reduce(fixedByteCount) { $0 + ($1.byteCounts.max() ?? 0) }
  }

  /// Lays out the file.
  ///
  /// - Parameters:
  ///   - promise: The model before the stage.
  ///   - model: The model, or one that it was made of, for the vocabulary.
  ///   - options: What is selected, and its candidates.
  /// - Throws: `TokenizerError` if GGUF has no way to say what the tokenizer does.
  init(_ promise: ModelPromise, _ model: LanguageModel, _ options: AllocateOptions) throws {
    parameterCount = promise.configuration.parameterCount
    var positions: [String: Int] = [:]
    var declarations: [TensorDeclaration] = []
    var chosen = 0
    func declare(_ name: String, _ encoding: TensorEncoding, _ shape: Shape) {
      let name = GGUFNames.name(of: name) ?? name
      declarations.append(TensorDeclaration(name, encoding, shape: shape))
    }
    for part in promise.parts {
      let (rows, columns) = (part.shape.rows, part.shape.columns)
      let candidates = options.candidates(columns: columns)
      if part.hasBias { declare("\(part.name).bias", .elements(.float32), [rows]) }
      let name = "\(part.name).weight"
      guard part.isLinear else {
        declare(name, .elements(.float32), part.shape)
        continue
      }
      guard options.selection.selects(part.name), let first = candidates.first else {
        declare(name, .lossless(part.format, columns: columns), part.shape)
        continue
      }
      declare(name, .blocks(first), part.shape)
      let sizes = candidates.map { Self.aligned($0, rows: rows, columns: columns) }
      chosen += sizes[0]
      let key = Self.group(of: part.name)
      let position = positions[key] ?? groups.count
      if position == groups.count {
        groups.append(Group(names: [], formats: candidates, byteCounts: sizes.map { _ in 0 }))
        positions[key] = position
      }
      groups[position].names.append(part.name)
      groups[position].count += rows * columns
      for index in sizes.indices { groups[position].byteCounts[index] += sizes[index] }
    }
    if let divisors = promise.configuration.rotary.storedDivisors {
      declarations.append(
        TensorDeclaration("rope_freqs.weight", .elements(.float32), shape: [divisors.count])
      )
    }
    let metadata = try Self.metadata(model)
    fixedByteCount =
      try GGUFWriter.byteCount(metadata: metadata, tensors: declarations) - chosen
  }

  /// What the file of the result says about itself, which is read from a folder `checkpoint` then.
  private static func metadata(_ model: LanguageModel) throws -> GGUFMetadata {
    var metadata = try model.ggufMetadata(carriesSource: false) { metadata in
      metadata["general.file_type"] = .uint32(0)
      metadata["general.quantization_version"] = .uint32(2)
      metadata["general.quantized_by"] = .string("slm-compress")
    }
    // Formats may be chosen for a model in the hub's cache; the folder does not lie there.
    for key in metadata.keys where key.hasPrefix("general.base_model.") { metadata[key] = nil }
    let name = model.companions.configuration["_name_or_path"]?.string?.split(separator: "/").last
    metadata["general.name"] = .string(name.map(String.init) ?? "checkpoint")
    return metadata
  }

  /// The size of a matrix in the file, up to where the next one begins.
  private static func aligned(_ format: BlockFormat, rows: Int, columns: Int) -> Int {
    let byteCount = WeightFormat.blocks(format).byteCount(rows: rows, columns: columns)
    return (byteCount + 31) / 32 * 32
  }

  /// What a matrix is chosen with: query, key and value of a block, or gate and up; else its name.
  private static func group(of name: String) -> String {
    for (suffixes, group) in [
      (["q_proj", "k_proj", "v_proj"], "qkv"), (["gate_proj", "up_proj"], "gate_up"),
    ] {
      for suffix in suffixes where name.hasSuffix("." + suffix) {
        return name.dropLast(suffix.count) + group
      }
    }
    return name
  }

  /// Chooses formats for the predicted divergences.
  func allocation(_ predictions: Sensitivities) -> Allocation {
    Allocation(
      groups.map { group in
        zip(group.formats, group.byteCounts).map { format, byteCount in
          Allocation.Choice(
            byteCount: byteCount,
            cost: group.names.reduce(0) { $0 + predictions.divergence(of: $1, format) }
          )
        }
      }
    )
  }
}
