internal import Foundation

/// The files that a user means by a path or a Hugging Face model id.
///
/// ```swift
/// try CheckpointFolder("models/SmolLM2-135M")              // a folder
/// try CheckpointFolder("model.Q4_1.gguf")                   // a file
/// try CheckpointFolder("HuggingFaceTB/SmolLM2-135M")        // in the hub's cache, if there
/// let source = try CheckpointFolder("models/tiny").open()
/// ```
///
/// Nothing is downloaded. A path that exists is meant before an id.
public struct CheckpointFolder: Sendable, Hashable {
  /// Where the weights are.
  public enum Weights: Sendable, Hashable {
    /// One safetensors file, by path.
    case safetensors(String)
    /// The index of several safetensors files, by path.
    case shardedSafetensors(String)
    /// A GGUF file, by path.
    case gguf(String)
  }

  /// The path of what the name means: a file, or a folder.
  public let location: String
  /// The path of the folder with `config.json` and tokenizer files, if there are any.
  public let path: String
  /// Where the weights are.
  public let weights: Weights

  /// Finds what `name` means.
  ///
  /// - Parameters:
  ///   - name: A `.safetensors` or `.gguf` file, an index of safetensors files, a folder with
  ///     weights, a folder of the hub's cache (`models--org--name`), or an id (`org/name`).
  ///   - environment: Where `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME` and `HOME` are looked
  ///     up; nil for the process's own.
  /// - Throws: ``CheckpointError`` with code `notFound`, listing what was looked for; `ambiguous`,
  ///   listing the files; or `unsupported` for weights pickled by PyTorch.
  public init(
    _ name: String,
    environment: [String: String]? = nil
  ) throws(CheckpointError) {
    let environment = environment ?? ProcessInfo.processInfo.environment
    let place = try HubCache(environment: environment).locate(name)
    self.location = place.path
    if place.isFolder {
      self.path = place.path
      self.weights = try Self.weights(inFolder: place.path)
    } else {
      self.path = (place.path as NSString).deletingLastPathComponent
      self.weights = try Self.weights(file: place.path)
    }
  }

  /// Opens the weights.
  ///
  /// - Throws: ``CheckpointError`` if a file cannot be mapped or is malformed.
  /// - Complexity: O(length of the headers), whatever the size of the tensors.
  public func open() throws(CheckpointError) -> any TensorSource {
    switch weights {
    case .safetensors(let path): try SafetensorsFile(path: path)
    case .shardedSafetensors(let path): try ShardedSafetensors(indexPath: path)
    case .gguf(let path): try GGUFFile(path: path)
    }
  }

  /// Returns the path of a file beside the weights, such as `config.json`; nil if there is none.
  public func file(_ name: String) -> String? {
    let path = (path as NSString).appendingPathComponent(name)
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }

  // MARK: - Weights

  private static func weights(file: String) throws(CheckpointError) -> Weights {
    switch (file as NSString).pathExtension.lowercased() {
    case "safetensors": return .safetensors(file)
    case "gguf": return .gguf(file)
    case "json" where file.hasSuffix(".index.json"): return .shardedSafetensors(file)
    case "bin", "pt", "pth", "ckpt": throw pickled(file)
    default:
      throw CheckpointError(
        .unsupported,
        "not a checkpoint by its name",
        file: file,
        remedy: "name a .safetensors or .gguf file, or a folder that has one"
      )
    }
  }

  private static func weights(inFolder folder: String) throws(CheckpointError) -> Weights {
    // Names with a dot belong to unfinished downloads and other programs' notes.
    let names = try list(folder).filter { !$0.hasPrefix(".") }
    func path(_ name: String) -> String { (folder as NSString).appendingPathComponent(name) }
    // A folder with both was written by two programs or twice; transformers takes the file.
    if names.contains("model.safetensors") { return .safetensors(path("model.safetensors")) }
    if names.contains("model.safetensors.index.json") {
      return .shardedSafetensors(path("model.safetensors.index.json"))
    }
    let indices = names.filter { $0.hasSuffix(".safetensors.index.json") }
    if let only = indices.first, indices.count == 1 { return .shardedSafetensors(path(only)) }
    let files = names.filter { $0.hasSuffix(".safetensors") && !isAdapter($0) }
    let packed = names.filter { $0.hasSuffix(".gguf") }
    let candidates = indices.count > 1 ? indices : files.isEmpty ? packed : files
    guard let only = candidates.first else { throw nothing(in: folder, names) }
    guard candidates.count == 1 else {
      throw CheckpointError(
        .ambiguous,
        "several weights: \(listed(candidates))",
        file: folder,
        remedy: "name one of the files"
      )
    }
    return try weights(file: path(only))
  }

  /// Whether a file holds weights that only change another model's.
  private static func isAdapter(_ name: String) -> Bool { name.hasPrefix("adapter_") }

  private static func nothing(in folder: String, _ names: [String]) -> CheckpointError {
    let pickles = names.filter { $0.hasPrefix("pytorch_model") && $0.hasSuffix(".bin") }
    if let first = pickles.first {
      return pickled((folder as NSString).appendingPathComponent(first))
    }
    let found = names.isEmpty ? "nothing" : listed(names)
    return CheckpointError(
      .notFound,
      "no weights in the folder: looked for model.safetensors, model.safetensors.index.json, "
        + "one other *.safetensors and one *.gguf; it has \(found)",
      file: folder,
      remedy: "name a folder with a complete download, or a file"
    )
  }

  private static func pickled(_ path: String) -> CheckpointError {
    CheckpointError(
      .unsupported,
      "weights pickled by PyTorch, which can run code when read",
      file: path,
      remedy: "convert them to safetensors: load the model with transformers and call "
        + "save_pretrained(folder, safe_serialization=True)"
    )
  }

  private static func list(_ folder: String) throws(CheckpointError) -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw CheckpointError(
        .unreadable,
        "cannot list the folder",
        file: folder,
        underlying: error
      )
    }
  }

  private static func listed(_ names: [String]) -> String {
    let shown = names.prefix(8).joined(separator: ", ")
    return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
  }
}
