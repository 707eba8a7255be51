import Foundation
import Models

extension NewModel {
  /// What is wrong with a description, and the error behind it if there is one.
  struct Failure: Error {
    let problems: [StageProblem]
    var underlying: (any Error)?

    init(_ problems: [StageProblem]) { self.problems = problems }

    /// An error that an option is to blame for.
    init(_ error: any Error, option: String) {
      problems = [StageProblem(RunError.text(error), option: option)]
      underlying = error
    }
  }

  /// Finds sizes that are missing or do not fit together, as far as no file decides them.
  public func problems() -> [StageProblem] {
    config == nil ? sizeProblems(merged(over: Self.plainConfiguration)) : []
  }

  /// Makes the model, without any of its weights.
  ///
  /// - Parameters:
  ///   - paths: Where paths of the recipe start.
  ///   - seed: Where the randomness of the weights starts.
  ///   - origin: Where the model will lie.
  ///   - trainsTokenizer: Whether a tokenizer that is to be trained is; otherwise one takes its
  ///     place that has the same form and knows no more than bytes.
  /// - Returns: The model, and the tokenizer that it got.
  /// - Throws: ``Failure``.
  func load(
    _ paths: RecipePaths,
    seed: UInt64,
    origin: URL,
    trainsTokenizer: Bool
  ) throws(Failure) -> (model: LanguageModel, tokenizer: NewTokenizer) {
    var json = merged(over: try configuration(paths))
    let found = sizeProblems(json)
    guard found.isEmpty else { throw Failure(found) }
    let opened: NewTokenizer
    do {
      opened = try open(
        paths,
        vocabularySize: json["vocab_size"]?.integer ?? NewTokenizer.leastTrainedSize,
        trains: trainsTokenizer
      )
    } catch {
      throw Failure(error, option: "tokenizer")
    }
    let vocabulary = json["vocab_size"]?.integer ?? opened.tokenCount
    json["vocab_size"] = .integer(vocabulary)
    guard opened.tokenCount <= vocabulary else {
      throw Failure([
        StageProblem(
          "the tokenizer has \(opened.tokenCount) tokens, more than the \(vocabulary) of the "
            + "vocabulary",
          option: vocabularySize == nil ? "tokenizer" : "vocabulary_size"
        )
      ])
    }
    do {
      let model = try LanguageModel.untrained(
        ModelConfiguration(json: json, file: config?.url(paths).path ?? "new"),
        tokenizer: opened,
        seed: seed,
        deviation: initializerRange,
        origin: origin
      )
      return (model, opened)
    } catch {
      throw Failure(error, option: "config")
    }
  }

  private func open(
    _ paths: RecipePaths,
    vocabularySize: Int,
    trains: Bool
  ) throws -> NewTokenizer {
    switch tokenizer {
    case .existing(let path):
      let url = path.url(paths)
      return try FileTree.isFolder(url) ? NewTokenizer(folder: url) : NewTokenizer(file: url)
    case .trained(let training):
      // With no room for merges any text gives the same tokenizer.
      return trains
        ? try NewTokenizer(trainedOn: training.texts(paths), vocabularySize: vocabularySize)
        : try NewTokenizer(trainedOn: ["a"], vocabularySize: NewTokenizer.leastTrainedSize)
    }
  }

  /// The files that decide the model's bytes.
  func files(_ paths: RecipePaths) -> [URL] {
    var files = [config?.url(paths)].compactMap(\.self)
    switch tokenizer {
    case .existing(let path):
      let url = path.url(paths)
      // A folder may hold a whole model, of which only this much is used.
      files +=
        FileTree.isFolder(url)
        ? ModelCompanions.carried.map { url.appending(path: $0) }.filter(FileTree.exists) : [url]
    case .trained(let training):
      for case .file(let path) in training.trainOn { files.append(path.url(paths)) }
    }
    return files
  }
}

// MARK: - Configuration

extension NewModel {
  /// A size, as the recipe and config.json call it.
  private struct Size {
    let option: String
    let key: String
    let value: Int?
    let limits: ClosedRange<Int>
    var isRequired = true
  }

  private var sizes: [Size] {
    var needsVocabulary = false
    if case .trained = tokenizer { needsVocabulary = true }
    return [
      Size(option: "hidden_size", key: "hidden_size", value: hiddenSize, limits: Limits.width),
      Size(option: "layers", key: "num_hidden_layers", value: layers, limits: Limits.layers),
      Size(option: "heads", key: "num_attention_heads", value: heads, limits: Limits.heads),
      Size(
        option: "key_value_heads",
        key: "num_key_value_heads",
        value: keyValueHeads,
        limits: Limits.heads,
        isRequired: false
      ),
      Size(
        option: "head_size",
        key: "head_dim",
        value: headSize,
        limits: 2...4096,
        isRequired: false
      ),
      Size(
        option: "feed_forward_size",
        key: "intermediate_size",
        value: feedForwardSize,
        limits: Limits.wide
      ),
      Size(
        option: "vocabulary_size",
        key: "vocab_size",
        value: vocabularySize,
        limits: Limits.vocabulary,
        isRequired: needsVocabulary
      ),
      Size(
        option: "context_length",
        key: "max_position_embeddings",
        value: contextLength,
        limits: Limits.context
      ),
    ]
  }

  private static let plainConfiguration = JSONValue.object([
    "model_type": .string(Architecture.llama.modelType), "tie_word_embeddings": .bool(true),
  ])

  private func configuration(_ paths: RecipePaths) throws(Failure) -> JSONValue {
    guard let config else { return Self.plainConfiguration }
    do {
      return try readJSON(config.url(paths))
    } catch {
      throw Failure(error, option: "config")
    }
  }

  /// A configuration with the values that are given in place of its own.
  private func merged(over base: JSONValue) -> JSONValue {
    var json = base
    for size in sizes { if let value = size.value { json[size.key] = .integer(value) } }
    if let family { json["model_type"] = .string(family.recipeText) }
    if let tieEmbeddings { json["tie_word_embeddings"] = .bool(tieEmbeddings) }
    if let normEpsilon { json["rms_norm_eps"] = .number(normEpsilon) }
    if let ropeTheta {
      json["rope_theta"] = .number(ropeTheta)
      for section in ["rope_parameters", "rope_scaling"] where json[section]?["rope_theta"] != nil {
        json[section]?["rope_theta"] = .number(ropeTheta)
      }
    }
    return json
  }

  /// What is missing, out of bounds, or does not fit together.
  private func sizeProblems(_ json: JSONValue) -> [StageProblem] {
    let bounds = sizes.compactMap { size -> StageProblem? in
      guard let value = json[size.key], !value.isNull else {
        return size.isRequired ? missing(size.option) : nil
      }
      guard value.integer.map(size.limits.contains) != true else { return nil }
      return StageProblem(
        "`\(size.key)` must be a whole number between \(size.limits.lowerBound) and "
          + "\(size.limits.upperBound)",
        option: size.value == nil ? "config" : size.option
      )
    }
    return bounds + relationProblems(json)
  }

  private func missing(_ option: String) -> StageProblem {
    StageProblem(
      config == nil
        ? "`\(option)` is missing: give it, or a `config` that has it"
        : "`\(option)` is missing: neither the config nor the recipe has it"
    )
  }

  private func relationProblems(_ json: JSONValue) -> [StageProblem] {
    var problems: [StageProblem] = []
    func size(_ key: String) -> Int? { json[key]?.integer.flatMap { $0 > 0 ? $0 : nil } }
    /// Blames the first of some options that the recipe gives.
    func note(_ message: String, _ options: String...) {
      let given = Set(sizes.filter { $0.value != nil }.map(\.option))
      problems.append(
        StageProblem(message, option: options.first(where: given.contains) ?? "config")
      )
    }
    if let heads = size("num_attention_heads") {
      if let keys = size("num_key_value_heads"), !heads.isMultiple(of: keys) {
        note("\(keys) key-value heads do not divide \(heads) heads", "key_value_heads", "heads")
      }
      if let channels = size("head_dim") {
        if !channels.isMultiple(of: 2) {
          note("heads of \(channels) channels cannot rotate; an even number can", "head_size")
        }
      } else if let width = size("hidden_size") {
        if !width.isMultiple(of: heads) {
          note(
            "\(heads) heads do not divide a hidden size of \(width); give `head_size`",
            "heads",
            "hidden_size"
          )
        } else if !(width / heads).isMultiple(of: 2) {
          note(
            "heads of \(width / heads) channels cannot rotate; an even number can",
            "heads",
            "hidden_size"
          )
        }
      }
    }
    if case .trained = tokenizer, let vocabulary = size("vocab_size"),
      vocabulary < NewTokenizer.leastTrainedSize
    {
      note(
        "a tokenizer that is trained has at least \(NewTokenizer.leastTrainedSize) tokens: 256 "
          + "bytes and \(NewTokenizer.leastTrainedSize - 256) special ones",
        "vocabulary_size"
      )
    }
    return problems
  }
}
