import Checkpoints
import Evaluate
import Foundation
import Models
import Pipeline
import Tensor

/// What a checkpoint holds, found from headers alone.
struct Inspection: Encodable {
  /// Tensors whose names differ only in their layer's number, and which are of one type and
  /// shape.
  struct Group: Encodable {
    var name: String
    var type: String
    var shape: [Int]
    var count: Int
    var bytes: Int
  }

  /// All tensors of one type.
  struct Format: Encodable {
    var type: String
    var tensors: Int
    var numbers: Int
    var bytes: Int
  }

  /// The model's matrices of one representation.
  struct Weights: Encodable {
    var format: String
    /// How the inputs of the layers are quantized, if they are.
    var inputs: String?
    var matrices: Int
    var numbers: Int
    var bytes: Int
  }

  /// One tensor.
  struct Entry: Encodable {
    var name: String
    var type: String
    var shape: [Int]
    var bytes: Int
    var file: String
  }

  /// The sizes of a model whose architecture is supported.
  struct Architecture: Encodable {
    var name: String
    var layers: Int
    var width: Int
    var feedForward: Int
    var queryHeads: Int
    var keyHeads: Int
    var headSize: Int
    var vocabulary: Int
    var context: Int
    var tiedHead: Bool
    var slidingWindow: Int?

    init(_ model: ModelConfiguration) {
      name = model.architecture.modelType
      layers = model.layerCount
      width = model.hiddenSize
      feedForward = model.feedForwardSize
      queryHeads = model.queryHeads
      keyHeads = model.keyHeads
      headSize = model.headSize
      vocabulary = model.vocabularySize
      context = model.contextLength
      tiedHead = model.tiesEmbeddings
      slidingWindow = model.slidingWindow
    }
  }

  var path: String
  var kind: String
  var files: [String]
  var bytes: Int
  var tensorBytes: Int
  var architecture: Architecture?
  /// Why the model could not be opened, if it could not: the tensors are listed all the same.
  var problem: String?
  /// The model's weights, or the numbers stored if the architecture is not known.
  var parameters: Int
  var bitsPerWeight: Double
  var formats: [Format]
  /// The representations of the matrices, if some are quantized.
  var weights: [Weights]
  var groups: [Group]
  var metadata: [String: String]
  var tensors: [Entry]?

  /// Looks at a checkpoint.
  ///
  /// - Parameters:
  ///   - name: A path or a name in the hub's cache.
  ///   - listsTensors: Whether to list every tensor.
  /// - Throws: ``CheckpointError`` if there is no checkpoint or its header is damaged.
  init(_ name: String, listsTensors: Bool) throws {
    let folder = try CheckpointFolder(name)
    let source = try folder.open()
    path = name
    kind =
      switch folder.weights {
      case .safetensors: "safetensors"
      case .shardedSafetensors: "sharded safetensors"
      case .gguf: "GGUF"
      }
    files = Set(source.entries.map(\.file)).sorted()
    var model: LanguageModel?
    if folder.isModel {
      do { model = try ModelLoader.load(named: name) } catch { problem = "\(error)" }
    }
    architecture = model.map { Architecture($0.configuration) }
    parameters = model?.parameterCount ?? source.entries.reduce(0) { $0 + $1.shape.count }
    let size = try ModelSize(of: source, parameterCount: parameters)
    bytes = size.byteCount
    tensorBytes = size.tensorByteCount
    bitsPerWeight = size.bitsPerWeight
    formats = Self.formats(source.entries)
    weights = model.map { Self.weights($0.outline) } ?? []
    groups = Self.groups(source.entries)
    metadata = Self.metadata(source)
    if listsTensors {
      tensors = source.entries.map {
        Entry(
          name: $0.name,
          type: "\($0.encoding)",
          shape: $0.shape.dimensions,
          bytes: $0.byteCount,
          file: $0.file
        )
      }
    }
  }

  /// What a file says about itself; of an array, its type and count.
  private static func metadata(_ source: any TensorSource) -> [String: String] {
    if let file = source as? SafetensorsFile { return file.metadata }
    if let files = source as? ShardedSafetensors { return files.metadata }
    guard let file = source as? GGUFFile else { return [:] }
    let metadata = file.metadata
    return Dictionary(
      metadata.keys.map { ($0, metadata[$0].map { "\($0)" } ?? "") },
      uniquingKeysWith: { first, _ in first }
    )
  }

  private static func formats(_ entries: [TensorEntry]) -> [Format] {
    var formats: [String: Format] = [:]
    for entry in entries {
      let type = "\(entry.encoding)"
      var format = formats[type] ?? Format(type: type, tensors: 0, numbers: 0, bytes: 0)
      format.tensors += 1
      format.numbers += entry.shape.count
      format.bytes += entry.byteCount
      formats[type] = format
    }
    return formats.values.sorted { ($1.bytes, $0.type) < ($0.bytes, $1.type) }
  }

  private static func weights(_ outline: ModelOutline) -> [Weights] {
    struct Key: Hashable {
      var format: WeightFormat
      var inputs: ActivationQuantization.Kind?
    }
    var places: [Key: Int] = [:]
    var weights: [Weights] = []
    for part in outline.parts where part.isLinear {
      let key = Key(format: part.format, inputs: part.activation)
      let place = places[key] ?? weights.count
      if place == weights.count {
        places[key] = place
        weights.append(
          Weights(
            format: "\(part.format)",
            inputs: part.activation?.description,
            matrices: 0,
            numbers: 0,
            bytes: 0
          )
        )
      }
      weights[place].matrices += 1
      weights[place].numbers += part.shape.count
      weights[place].bytes += part.byteCount
    }
    let isPlain = outline.parts.allSatisfy { part in
      if case .elements = part.format { part.activation == nil } else { false }
    }
    return isPlain ? [] : weights.sorted { ($1.bytes, $0.format) < ($0.bytes, $1.format) }
  }

  private static func groups(_ entries: [TensorEntry]) -> [Group] {
    struct Key: Hashable {
      var name: String
      var type: String
      var shape: [Int]
    }
    var places: [Key: Int] = [:]
    var groups: [Group] = []
    for entry in entries {
      let parts = entry.name.split(separator: ".", omittingEmptySubsequences: false)
      let name = parts.map { Int($0) == nil ? String($0) : "*" }.joined(separator: ".")
      // The values of sparse matrices differ in number from layer to layer; they are added up.
      let isCounted = name.hasSuffix(".compressed") && entry.shape.rank == 1
      let key = Key(
        name: name,
        type: "\(entry.encoding)",
        shape: isCounted ? [] : entry.shape.dimensions
      )
      let place = places[key] ?? groups.count
      if place == groups.count {
        places[key] = place
        groups.append(Group(name: name, type: key.type, shape: key.shape, count: 0, bytes: 0))
      }
      groups[place].count += 1
      if isCounted { groups[place].shape = [(groups[place].shape.first ?? 0) + entry.shape.count] }
      groups[place].bytes += entry.byteCount
    }
    return groups
  }
}

extension CheckpointFolder {
  /// Whether there is a configuration to read a model by.
  fileprivate var isModel: Bool {
    if case .gguf = weights { return true }
    return file("config.json") != nil
  }
}
