/// Reads config.json, in the spelling of transformers before and since version 5.
struct HuggingFaceConfiguration {
  /// The parsed file.
  let json: JSONValue
  /// Its path, for errors.
  let file: String

  /// The configuration of the model.
  func model() throws(ModelError) -> ModelConfiguration {
    let architecture = try self.architecture()
    let hiddenSize = try positive("hidden_size")
    let queryHeads = try positive("num_attention_heads")
    let keyHeads = try optionalPositive("num_key_value_heads") ?? queryHeads
    guard queryHeads % keyHeads == 0 else {
      throw invalid(
        "num_key_value_heads",
        "\(keyHeads) key heads do not divide \(queryHeads) query heads"
      )
    }
    let headSize = try optionalPositive("head_dim") ?? hiddenSize / queryHeads
    let attentionBias = try flag("attention_bias") ?? false
    let feedForwardBias = try flag("mlp_bias") ?? false
    let biased = architecture.readsBiasKeys && attentionBias
    try requireSilu()
    return ModelConfiguration(
      architecture: architecture,
      hiddenSize: hiddenSize,
      layerCount: try positive("num_hidden_layers"),
      feedForwardSize: try positive("intermediate_size"),
      queryHeads: queryHeads,
      keyHeads: keyHeads,
      headSize: headSize,
      vocabularySize: try positive("vocab_size"),
      contextLength: try optionalPositive("max_position_embeddings") ?? 2048,
      normEpsilon: try normEpsilon() ?? architecture.defaultNormEpsilon,
      rotary: try rotary(architecture, headSize: headSize),
      tiesEmbeddings: try flag("tie_word_embeddings") ?? false,
      hasQueryKeyValueBias: architecture.hasQueryKeyValueBias || biased,
      hasAttentionOutputBias: biased,
      hasFeedForwardBias: architecture.readsBiasKeys && feedForwardBias,
      hasQueryKeyNorm: architecture.hasQueryKeyNorm,
      slidingWindow: try slidingWindow(architecture),
      beginningOfText: json["bos_token_id"]?.integer.flatMap(Int32.init(exactly:)),
      endOfText: endOfText
    )
  }

  private func architecture() throws(ModelError) -> Architecture {
    guard let modelType = json["model_type"]?.string else {
      throw invalid("model_type", "the key is missing")
    }
    guard let architecture = Architecture.named(modelType) else {
      let known = Architecture.all.map(\.modelType).joined(separator: ", ")
      throw ModelError(
        .unsupported,
        "models of type “\(modelType)” are not supported",
        at: "\(file): model_type",
        remedy: "supported types are \(known)"
      )
    }
    return architecture
  }

  private func requireSilu() throws(ModelError) {
    let activation = json["hidden_act"]?.string ?? "silu"
    guard activation == "silu" || activation == "swish" else {
      throw ModelError(
        .unsupported,
        "the activation “\(activation)” is not supported",
        at: "\(file): hidden_act",
        remedy: "supported is silu"
      )
    }
  }

  private func slidingWindow(_ architecture: Architecture) throws(ModelError) -> Int? {
    let applies = try flag("use_sliding_window") ?? architecture.usesSlidingWindow
    guard applies, let window = try optionalPositive("sliding_window") else { return nil }
    if let types = json["layer_types"]?.array,
      types.contains(where: { $0.string != "sliding_attention" })
    {
      if types.allSatisfy({ $0.string == "full_attention" }) { return nil }
      throw mixedWindows
    }
    if json["layer_types"]?.array == nil, let first = json["max_window_layers"]?.integer,
      first > 0, !architecture.usesSlidingWindow
    {
      if first >= json["num_hidden_layers"]?.integer ?? 0 { return nil }
      throw mixedWindows
    }
    return window
  }

  private var mixedWindows: ModelError {
    ModelError(
      .unsupported,
      "some layers attend through a window and others do not",
      at: "\(file): layer_types",
      remedy: "this mixture is not supported"
    )
  }

  private var endOfText: [Int32] {
    let ids = json["eos_token_id"]?.array ?? [json["eos_token_id"]].compactMap(\.self)
    return ids.compactMap { $0.integer.flatMap(Int32.init(exactly:)) }
  }
}

// MARK: - Rotary embedding

extension HuggingFaceConfiguration {
  /// `rope_parameters`, or before transformers 5 `rope_theta` and `rope_scaling`.
  private func rotary(
    _ architecture: Architecture,
    headSize: Int
  ) throws(ModelError) -> RotaryConfiguration {
    let parameters = try rotaryParameters()
    let given = try (
      section: number("rope_theta", in: parameters), top: number("rope_theta", in: json)
    )
    let base = given.section ?? given.top ?? architecture.defaultRotaryBase
    let key = "partial_rotary_factor"
    let rotated = try (section: number(key, in: parameters), top: number(key, in: json))
    let fraction = rotated.section ?? rotated.top ?? 1
    guard base > 1, base.isFinite else { throw invalid("rope_theta", "\(base) is not above 1") }
    let channels = fraction * Double(headSize)
    guard channels >= 2, channels <= Double(headSize), Int(channels) % 2 == 0 else {
      throw invalid(
        "partial_rotary_factor",
        "\(channels) of \(headSize) channels would rotate; an even number must"
      )
    }
    return RotaryConfiguration(
      base: base,
      channels: Int(channels),
      scaling: try rotaryScaling(parameters, channels: Int(channels))
    )
  }

  /// The section of transformers 5 or that of earlier versions; both only if they agree.
  private func rotaryParameters() throws(ModelError) -> JSONValue {
    var sections: [JSONValue] = []
    for key in ["rope_parameters", "rope_scaling"] {
      if let section = json[key], !section.isNull { sections.append(section) }
    }
    for section in sections {
      guard case .object = section else { throw invalid("rope_parameters", "an object is needed") }
    }
    if sections.count == 2, Self.rotaryKind(sections[0]) != Self.rotaryKind(sections[1]) {
      throw invalid("rope_scaling", "it contradicts rope_parameters")
    }
    return sections.first ?? .null
  }

  private static func rotaryKind(_ section: JSONValue) -> String {
    section["rope_type"]?.string ?? section["type"]?.string ?? "default"
  }

  private func number(_ key: String, in section: JSONValue) throws(ModelError) -> Double? {
    guard let value = section[key], !value.isNull else { return nil }
    guard let number = value.number, number.isFinite else {
      throw invalid(key, "a number is needed")
    }
    return number
  }

  private func rotaryScaling(
    _ parameters: JSONValue,
    channels: Int
  ) throws(ModelError) -> RotaryConfiguration.Scaling {
    let kind = Self.rotaryKind(parameters)
    let context = try optionalPositive("max_position_embeddings") ?? 2048
    let original = parameters["original_max_position_embeddings"]?.integer ?? context
    guard original > 0 else {
      throw invalid("original_max_position_embeddings", "\(original) is not positive")
    }
    switch kind {
    case "default": return .none
    case "linear": return .linear(factor: try scaling(parameters, "factor"))
    case "llama3":
      return .llama3(
        factor: try scaling(parameters, "factor"),
        lowFrequencyFactor: try scaling(parameters, "low_freq_factor"),
        highFrequencyFactor: try scaling(parameters, "high_freq_factor"),
        originalContextLength: original
      )
    case "yarn":
      let factor = try scaling(parameters, "factor", Double(context) / Double(original))
      return .yarn(
        factor: factor,
        betaFast: try scaling(parameters, "beta_fast", 32),
        betaSlow: try scaling(parameters, "beta_slow", 1),
        attentionFactor: try scaling(
          parameters,
          "attention_factor",
          yarnAttentionFactor(parameters, factor: factor)
        ),
        originalContextLength: original,
        truncates: parameters["truncate"]?.bool ?? true
      )
    case "divisors":
      let divisors = (parameters["divisors"]?.array ?? []).compactMap { $0.number.map(Float.init) }
      guard divisors.count == channels / 2, divisors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
        throw invalid("rope_parameters.divisors", "\(channels / 2) positive numbers are needed")
      }
      return .divisors(divisors)
    default:
      throw ModelError(
        .unsupported,
        "the rotary scaling “\(kind)” is not supported",
        at: "\(file): rope_parameters",
        remedy: "supported are default, linear, llama3 and yarn"
      )
    }
  }

  private func yarnAttentionFactor(_ parameters: JSONValue, factor: Double) -> Double {
    let scale = parameters["mscale"]?.number ?? 0
    let allScale = parameters["mscale_all_dim"]?.number ?? 0
    if scale != 0 && allScale != 0 {
      return yarnMagnitude(factor, scale) / yarnMagnitude(factor, allScale)
    }
    return yarnMagnitude(factor, 1)
  }

  private func scaling(
    _ parameters: JSONValue,
    _ key: String,
    _ otherwise: Double? = nil
  ) throws(ModelError) -> Double {
    let given = parameters[key] ?? .null
    guard let value = given.isNull ? otherwise : given.number, value.isFinite, value > 0 else {
      throw invalid("rope_parameters.\(key)", "a positive number is needed")
    }
    return value
  }
}

// MARK: - Values

extension HuggingFaceConfiguration {
  /// The largest size believed: files that claim more are damaged, and products of two stay exact.
  private static let sizeLimit = 1 << 30

  private func positive(_ key: String) throws(ModelError) -> Int {
    guard let value = try optionalPositive(key) else {
      throw invalid(key, "the key is missing")
    }
    return value
  }

  private func optionalPositive(_ key: String) throws(ModelError) -> Int? {
    guard let value = json[key], !value.isNull else { return nil }
    guard let integer = value.integer, integer > 0, integer <= Self.sizeLimit else {
      throw invalid(key, "a whole number from 1 to \(Self.sizeLimit) is needed")
    }
    return integer
  }

  private func normEpsilon() throws(ModelError) -> Double? {
    guard let value = json["rms_norm_eps"], !value.isNull else { return nil }
    guard let epsilon = value.number, epsilon.isFinite, epsilon >= 0 else {
      throw invalid("rms_norm_eps", "0 or a positive number is needed")
    }
    return epsilon
  }

  private func flag(_ key: String) throws(ModelError) -> Bool? {
    guard let value = json[key], !value.isNull else { return nil }
    guard let flag = value.bool else { throw invalid(key, "true or false is needed") }
    return flag
  }

  private func invalid(_ key: String, _ problem: String) -> ModelError {
    ModelError(
      .invalid,
      problem,
      at: "\(file): \(key)",
      remedy: "the file is damaged or hand-made; correct it"
    )
  }
}
