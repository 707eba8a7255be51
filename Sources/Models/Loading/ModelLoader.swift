internal import Checkpoints
public import Foundation

/// Opens models: Hugging Face folders, hub-cache folders and names, and GGUF files.
public enum ModelLoader {
  /// Opens a model without reading its weights.
  ///
  /// ```swift
  /// let model = try ModelLoader.load(URL(filePath: "models/SmolLM2-135M"))
  /// ```
  ///
  /// Every tensor's place, type and shape is checked against the configuration; matrices are read
  /// when first used, most of them as windows on the mapped file.
  ///
  /// - Parameter url: A folder with config.json and safetensors files, a folder of the hub's
  ///   cache, or a GGUF file.
  /// - Returns: The model.
  /// - Throws: ``ModelError``, or `CheckpointError` for a damaged file.
  public static func load(_ url: URL) throws -> LanguageModel {
    try load(named: url.path)
  }

  /// Opens a model by path or by its name on the hub, such as `HuggingFaceTB/SmolLM2-135M`, which
  /// is looked for in the local cache only.
  ///
  /// - Throws: As ``load(_:)``.
  public static func load(named name: String) throws -> LanguageModel {
    let folder = try CheckpointFolder(name)
    let tensors = try folder.open()
    if let file = tensors as? GGUFFile { return try load(file) }
    return try load(folder: folder, tensors)
  }

  /// What a model is made of, from headers only.
  ///
  /// - Throws: As ``load(_:)``.
  public static func inspect(_ url: URL) throws -> ModelOutline { try load(url).outline }

  private static func load(
    folder: CheckpointFolder,
    _ tensors: any TensorSource
  ) throws -> LanguageModel {
    let url = URL(filePath: folder.path)
    let config = url.appending(path: "config.json")
    guard FileManager.default.fileExists(atPath: config.path) else {
      throw ModelError(
        .unreadable,
        "there is no config.json",
        at: folder.path,
        remedy: "put the file of the original model beside the weights"
      )
    }
    let json = try readJSON(config)
    var configuration = try HuggingFaceConfiguration(json: json, file: config.path).model()
    let source = FolderWeights(
      tensors: tensors,
      file: folder.path,
      quantization: try quantization(json, config.path)
    )
    // Some writers leave the key out and the head in, or the reverse; the weights decide.
    if json["tie_word_embeddings"] == nil {
      configuration.tiesEmbeddings = !source.contains("lm_head")
    }
    return try ModelBuilder(configuration: configuration, source: source).build(
      companions: .folder(
        url,
        configuration: json,
        origin: URL(filePath: folder.location)
      )
    )
  }

  private static func quantization(
    _ configuration: JSONValue,
    _ file: String
  ) throws -> (any QuantizedReader)? {
    // MLX writes its section under both names, without a method.
    if let section = configuration["quantization"], section["bits"] != nil {
      return try MLXReader(section, file: file)
    }
    guard let section = configuration["quantization_config"], !section.isNull else { return nil }
    switch section["quant_method"]?.string {
    case "compressed-tensors": return try CompressedTensorsReader(section, file: file)
    case "gptq": return try GPTQReader(section, file: file)
    case "awq": return try AWQReader(section, file: file)
    case PreservedWeights.method: return try PreservedWeights(section, file: file)
    case let method:
      throw ModelError(
        .unsupported,
        "weights quantized by “\(method ?? "unknown")” cannot be read",
        at: "\(file): quantization_config",
        remedy:
          "start from the unquantized checkpoint; compressed-tensors, GPTQ, AWQ and MLX can be "
          + "read too"
      )
    }
  }

  private static func load(_ file: GGUFFile) throws -> LanguageModel {
    let reader = GGUFConfiguration(metadata: file.metadata, file: file.file.path)
    let configuration = try reader.model(tensors: file)
    let source = GGUFWeights(tensors: file, configuration: configuration, file: file.file.path)
    let companions = ModelCompanions.gguf(file, configuration)
    try requireSame(configuration, companions.configuration, file.file.path)
    return try ModelBuilder(configuration: configuration, source: source).build(
      companions: companions
    )
  }

  /// Checks that config.json says all of what a file's metadata and tensors say, as a model saved
  /// with it would be another one otherwise.
  static func requireSame(
    _ configuration: ModelConfiguration,
    _ json: JSONValue,
    _ file: String
  ) throws(ModelError) {
    let described = try HuggingFaceConfiguration(json: json, file: file).model()
    let differences = configuration.differences(from: described)
    guard !differences.isEmpty else { return }
    throw ModelError(
      .unsupported,
      "\(configuration.architecture.modelType) models of this kind are not supported: config.json "
        + "cannot express \(differences.joined(separator: ", "))",
      at: file,
      remedy: "use a model that follows its family's conventions"
    )
  }
}
