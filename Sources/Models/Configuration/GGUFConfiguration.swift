internal import Checkpoints
internal import Tensor

/// Reads a model's configuration from the metadata of a GGUF file.
struct GGUFConfiguration {
  let metadata: GGUFMetadata
  /// The file's path, for errors.
  let file: String

  /// The configuration of the model; what metadata leave out is taken from the tensors.
  func model(tensors: GGUFFile) throws -> ModelConfiguration {
    let architecture = try self.architecture()
    guard let embedding = tensors.entry("token_embd.weight"), embedding.shape.rank == 2 else {
      throw missing("token_embd.weight", in: file)
    }
    let hiddenSize = try size("embedding_length")
    let queryHeads = try size("attention.head_count")
    let keyHeads = try has("attention.head_count_kv") ? size("attention.head_count_kv") : queryHeads
    guard queryHeads % keyHeads == 0 else {
      throw invalid(
        "attention.head_count_kv",
        "\(keyHeads) key heads do not divide \(queryHeads) query heads"
      )
    }
    let headSize =
      try has("attention.key_length")
      ? size("attention.key_length") : hiddenSize / queryHeads
    func hasBias(_ name: String) -> Bool { tensors.entry("blk.0.\(name).bias") != nil }
    return ModelConfiguration(
      architecture: architecture,
      hiddenSize: hiddenSize,
      layerCount: try size("block_count"),
      feedForwardSize: try size("feed_forward_length"),
      queryHeads: queryHeads,
      keyHeads: keyHeads,
      headSize: headSize,
      vocabularySize: embedding.shape[0],
      contextLength: try size("context_length"),
      normEpsilon: try normEpsilon(),
      rotary: try rotary(architecture, headSize: headSize, tensors: tensors),
      tiesEmbeddings: tensors.entry("output.weight") == nil,
      hasQueryKeyValueBias: hasBias("attn_q"),
      hasAttentionOutputBias: hasBias("attn_output"),
      hasFeedForwardBias: hasBias("ffn_gate"),
      hasQueryKeyNorm: architecture.hasQueryKeyNorm,
      slidingWindow: try has("attention.sliding_window") ? size("attention.sliding_window") : nil,
      beginningOfText: token("tokenizer.ggml.bos_token_id"),
      endOfText: [token("tokenizer.ggml.eos_token_id")].compactMap(\.self)
    )
  }

  private func architecture() throws -> Architecture {
    let name = try metadata.string("general.architecture")
    let hasSlidingWindow = has("attention.sliding_window")
    guard let architecture = Architecture.named(inGGUF: name, hasSlidingWindow: hasSlidingWindow)
    else {
      let known = Set(Architecture.all.map(\.ggufName)).sorted().joined(separator: ", ")
      throw ModelError(
        .unsupported,
        "models of architecture “\(name)” are not supported",
        at: "\(file): general.architecture",
        remedy: "supported are \(known)"
      )
    }
    return architecture
  }

  private func normEpsilon() throws -> Double {
    let epsilon = try metadata.real(key("attention.layer_norm_rms_epsilon"))
    guard epsilon.isFinite, epsilon >= 0 else {
      throw invalid("attention.layer_norm_rms_epsilon", "\(epsilon) is not 0 or positive")
    }
    return epsilon
  }

  private func token(_ key: String) -> Int32? {
    metadata[key]?.integer.flatMap(Int32.init(exactly:))
  }
}

// MARK: - Rotary embedding

extension GGUFConfiguration {
  private func rotary(
    _ architecture: Architecture,
    headSize: Int,
    tensors: GGUFFile
  ) throws -> RotaryConfiguration {
    let base =
      try has("rope.freq_base")
      ? metadata.real(key("rope.freq_base")) : architecture.defaultRotaryBase
    let channels = try has("rope.dimension_count") ? size("rope.dimension_count") : headSize
    guard base > 1, base.isFinite, channels > 0, channels % 2 == 0, channels <= headSize else {
      throw invalid("rope", "base \(base) over \(channels) of \(headSize) channels is impossible")
    }
    // The order of the rows is known only for heads that rotate as a whole.
    guard channels == headSize || !architecture.ggufInterleavesRotaryRows else {
      throw ModelError(
        .unsupported,
        "\(architecture.ggufName) models that rotate \(channels) of \(headSize) channels are not "
          + "supported",
        at: "\(file): \(key("rope.dimension_count"))",
        remedy: "convert the model to a Hugging Face folder by the program that made the file"
      )
    }
    var rotary = RotaryConfiguration(base: base, channels: channels)
    rotary.scaling = try scaling()
    if let divisors = try divisors(channels: channels, tensors: tensors) {
      rotary.scaling = rotary.llama3Scaling(matching: divisors) ?? .divisors(divisors)
    }
    return rotary
  }

  private func divisors(channels: Int, tensors: GGUFFile) throws -> [Float]? {
    guard let entry = tensors.entry("rope_freqs.weight") else { return nil }
    try requireShape(entry.shape, [channels / 2], entry.name, in: file)
    let tensor = try tensors.tensor(entry.name)
    guard tensor.dtype.isFloatingPoint else {
      throw unsupportedType(tensor.dtype.rawValue, entry.name, in: file)
    }
    let divisors = tensor.converted(to: .float32).elements(as: Float.self)
    guard divisors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw ModelError(
        .invalid,
        "positive numbers are needed",
        at: "\(file): \(entry.name)",
        remedy: "the file is damaged; fetch it again"
      )
    }
    return divisors
  }

  private func scaling() throws -> RotaryConfiguration.Scaling {
    guard has("rope.scaling.type") else { return .none }
    let kind = try metadata.string(key("rope.scaling.type"))
    func number(_ name: String, _ otherwise: Double) throws -> Double {
      guard has("rope.scaling.\(name)") else { return otherwise }
      let number = try metadata.real(key("rope.scaling.\(name)"))
      guard number > 0, number.isFinite else {
        throw invalid("rope.scaling.\(name)", "\(number) is not positive")
      }
      return number
    }
    let factor = try number("factor", 1)
    switch kind {
    case "none": return .none
    case "linear": return .linear(factor: factor)
    case "yarn":
      // llama.cpp multiplies its own magnitude by the file's factor.
      return .yarn(
        factor: factor,
        betaFast: try number("yarn_beta_fast", 32),
        betaSlow: try number("yarn_beta_slow", 1),
        attentionFactor: try number("attn_factor", 1) * yarnMagnitude(factor, 1),
        originalContextLength: try has("rope.scaling.original_context_length")
          ? size("rope.scaling.original_context_length") : size("context_length"),
        truncates: true
      )
    default:
      throw ModelError(
        .unsupported,
        "the rotary scaling “\(kind)” is not supported",
        at: "\(file): \(key("rope.scaling.type"))",
        remedy: "supported are none, linear and yarn"
      )
    }
  }
}

extension RotaryConfiguration {
  /// The published scaling of Llama 3.1 and 3.2 if `divisors` come from it.
  func llama3Scaling(matching divisors: [Float]) -> Scaling? {
    guard let largest = divisors.max(), largest > 1 else { return nil }
    let scaling = Scaling.llama3(
      factor: Double(largest),
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContextLength: 8192
    )
    let plain = RotaryConfiguration(base: base, channels: channels)
    let scaled = RotaryConfiguration(base: base, channels: channels, scaling: scaling)
    let matches = zip(zip(plain.frequencies, scaled.frequencies), divisors).allSatisfy {
      abs($0.0 / $0.1 - $1) <= 1e-4 * $1
    }
    return matches ? scaling : nil
  }
}

// MARK: - Values

extension GGUFConfiguration {
  /// The largest size believed: files that claim more are damaged.
  private static let sizeLimit = 1 << 30

  private func key(_ name: String) -> String {
    "\(metadata["general.architecture"]?.string ?? "").\(name)"
  }

  private func has(_ name: String) -> Bool { metadata[key(name)] != nil }

  private func size(_ name: String) throws -> Int {
    if metadata[key(name)]?.array != nil {
      throw ModelError(
        .unsupported,
        "layers of different sizes are not supported",
        at: "\(file): \(key(name))",
        remedy: "use a model whose layers are alike"
      )
    }
    let value = try metadata.integer(key(name))
    guard value > 0, value <= Self.sizeLimit else {
      throw invalid(name, "a whole number from 1 to \(Self.sizeLimit) is needed, not \(value)")
    }
    return value
  }

  private func invalid(_ name: String, _ problem: String) -> ModelError {
    ModelError(
      .invalid,
      problem,
      at: "\(file): \(key(name))",
      remedy: "the file is damaged; fetch it again"
    )
  }
}
