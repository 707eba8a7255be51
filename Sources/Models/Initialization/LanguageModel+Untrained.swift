public import Foundation

extension LanguageModel {
  /// Makes a model that has not been trained, to be saved by ``ModelWriter``.
  ///
  /// ```swift
  /// let tokenizer = try NewTokenizer(folder: URL(filePath: "models/SmolLM2-135M"))
  /// let model = try LanguageModel.untrained(configuration, tokenizer: tokenizer, seed: 7)
  /// try ModelWriter(model, to: folder).finish()
  /// ```
  ///
  /// The tokens that begin and end a text are the tokenizer's; where it has none, those of the
  /// configuration stay.
  ///
  /// - Parameters:
  ///   - configuration: Sizes and options.
  ///   - tokenizer: The tokenizer, with at most as many tokens as the vocabulary has.
  ///   - seed: Where all randomness starts; the same seed gives the same bytes.
  ///   - deviation: The standard deviation of the weights, positive; those whose outputs are added
  ///     to the residual stream have it divided by `√(2 · blocks)`.
  ///   - origin: Where the model will lie.
  /// - Returns: The model in float32. Each matrix is made when it is first read.
  /// - Throws: ``ModelError`` if the tokenizer has more tokens than the vocabulary, or config.json
  ///   cannot say what the configuration says.
  /// - Complexity: About 20 ns per weight when it is read.
  public static func untrained(
    _ configuration: ModelConfiguration,
    tokenizer: NewTokenizer,
    seed: UInt64,
    deviation: Double = 0.02,
    origin: URL = URL(filePath: "new-model")
  ) throws -> LanguageModel {
    var configuration = configuration
    configuration.beginningOfText = tokenizer.beginningOfText ?? configuration.beginningOfText
    if !tokenizer.endOfText.isEmpty { configuration.endOfText = tokenizer.endOfText }
    guard tokenizer.tokenCount <= configuration.vocabularySize else {
      throw ModelError(
        .inconsistent,
        "the tokenizer has \(tokenizer.tokenCount) tokens, the vocabulary of the model "
          + "\(configuration.vocabularySize)",
        at: tokenizer.source,
        remedy: "make the vocabulary at least as large as the tokenizer"
      )
    }
    let companions = ModelCompanions.new(
      configuration,
      tokenizer: tokenizer,
      deviation: deviation,
      origin: origin
    )
    try ModelLoader.requireSame(configuration, companions.configuration, origin.path)
    let source = RandomWeights(
      seed: seed,
      deviation: deviation,
      layerCount: configuration.layerCount,
      tiesEmbeddings: configuration.tiesEmbeddings
    )
    return try ModelBuilder(configuration: configuration, source: source).build(
      companions: companions
    )
  }
}

extension ModelConfiguration {
  /// Reads the sizes and options that a config.json gives.
  ///
  /// - Parameters:
  ///   - json: The content of the file.
  ///   - file: What errors call it.
  /// - Throws: ``ModelError`` if a key is missing, impossible or of a kind that is not supported.
  public init(json: JSONValue, file: String) throws(ModelError) {
    self = try HuggingFaceConfiguration(json: json, file: file).model()
  }
}

// MARK: - Companions

extension ModelCompanions {
  /// The files of a model that has not been trained.
  static func new(
    _ configuration: ModelConfiguration,
    tokenizer: NewTokenizer,
    deviation: Double,
    origin: URL
  ) -> ModelCompanions {
    var json = configuration.json(dtype: "float32")
    let name = "\(configuration.architecture.modelType)-\(shortCount(configuration.parameterCount))"
    json["_name_or_path"] = .string(name)
    json["initializer_range"] = .number(deviation)
    json["pad_token_id"] = tokenizer.padding.map { .integer(Int($0)) }
    // Readers take what the family's first model had where nothing is said.
    var silent = ["bos_token_id", "eos_token_id"]
    if configuration.architecture.usesSlidingWindow { silent.append("sliding_window") }
    for key in silent where json[key] == nil { json[key] = .null }
    var settings = tokenizer.settings
    settings["model_max_length"] = .integer(configuration.contextLength)
    var generation: [String: JSONValue] = ["_from_model_config": .bool(true)]
    for key in ["bos_token_id", "eos_token_id", "pad_token_id"] where json[key] != .null {
      generation[key] = json[key]
    }
    let made = [
      ("tokenizer_config.json", settings), ("generation_config.json", .object(generation)),
    ]
    let own = tokenizer.tokenizer
    return ModelCompanions(
      configuration: json,
      files: tokenizer.files + made.map { name, json in File(name: name) { try json.text() } },
      origin: origin,
      name: name
    ) { own }
  }

  /// A number of weights as names of models have it: `135M`, `3.4M`, `82k`.
  private static func shortCount(_ count: Int) -> String {
    for (unit, size) in [("B", 1_000_000_000), ("M", 1_000_000), ("k", 1_000)] where count >= size {
      let tenths = (count * 10 + size / 2) / size
      return tenths < 100 ? "\(tenths / 10).\(tenths % 10)\(unit)" : "\((tenths + 5) / 10)\(unit)"
    }
    return "\(count)"
  }
}
