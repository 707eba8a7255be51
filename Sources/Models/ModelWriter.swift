internal import Checkpoints
public import Foundation
internal import Tensor

/// Saves a model as a folder, block by block, in whatever representation its weights have.
///
/// Each block becomes a shard of its own. From then on the model maps the block's weights from
/// that shard, so that a stage that finishes block after block holds one in memory. Embedding,
/// final normalization and head are saved last, with the index, config.json and the tokenizer.
///
/// ```swift
/// let writer = ModelWriter(model, to: folder)
/// for block in model.blocks { quantize(block); try writer.writeBlock(block.index) }
/// try writer.finish()
/// ```
public final class ModelWriter {
  private let model: LanguageModel
  private let folder: URL
  private var finished = 0
  private var shards: [String: String] = [:]
  private var byteCount = 0
  private var descriptions: [String: JSONValue] = [:]

  /// Prepares to save `model` into `folder`, which must exist and should be empty.
  public init(_ model: LanguageModel, to folder: URL) {
    self.model = model
    self.folder = folder
  }

  /// The number of blocks saved so far.
  public var finishedBlocks: Int { finished }

  /// Saves a block whose weights are final.
  ///
  /// - Precondition: Blocks are saved in order, each once.
  /// - Throws: `CheckpointError` if writing fails.
  public func writeBlock(_ index: Int) throws {
    require(index == finished, "model writer: block \(index) after \(finished) blocks")
    try write(.block(model.blocks[index]), shard: index)
    finished += 1
  }

  /// Saves the blocks not yet saved and everything else.
  ///
  /// - Throws: `CheckpointError` or a file error if writing fails.
  public func finish() throws {
    while finished < model.blocks.count { try writeBlock(finished) }
    try write(model.sections[finished], shard: finished)
    try writeIndex()
    try configuration.text().write(to: folder.appending(path: "config.json"), options: .atomic)
    for file in model.companions.files {
      try file.read().write(to: folder.appending(path: file.name), options: .atomic)
    }
  }

  private var shardCount: Int { model.blocks.count + 1 }

  private func shardName(_ shard: Int) -> String {
    let digits = { (number: Int) in
      let text = String(number)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    return "model-\(digits(shard + 1))-of-\(digits(shardCount)).safetensors"
  }

  private func write(_ section: ModelSection, shard: Int) throws {
    let url = folder.appending(path: shardName(shard))
    var tensors: [(name: String, tensor: Tensor)] = []
    for norm in section.norms { tensors.append(("\(norm.name).weight", norm.weight)) }
    for matrix in section.matrices {
      tensors += matrix.weight.parts.map { ("\(matrix.name).\($0.suffix)", $0.tensor) }
      if let bias = matrix.bias { tensors.append(("\(matrix.name).bias", bias)) }
      if let scale = matrix.activation?.scale {
        tensors.append(("\(matrix.name).input_scale", Tensor([scale], shape: [1])))
      }
      descriptions[matrix.name] = PreservedWeights.description(
        of: matrix.format,
        matrix.activation
      )
    }
    try writeShard(tensors, to: url)
    for (name, tensor) in tensors {
      shards[name] = url.lastPathComponent
      byteCount += tensor.byteCount
    }
    let source = FolderWeights(
      tensors: try SafetensorsFile(path: url.path),
      file: url.path,
      quantization: try PreservedWeights(quantization, file: url.path)
    )
    for matrix in section.matrices {
      matrix.relocate(
        to: try source.matrix(matrix.name, rows: matrix.rows, columns: matrix.columns)
      )
    }
    TensorMemory.closeGaps()
  }

  private func writeShard(_ tensors: [(name: String, tensor: Tensor)], to url: URL) throws {
    var writer = try SafetensorsWriter(
      path: url.path,
      tensors: tensors.map {
        TensorDeclaration($0.name, dtype: $0.tensor.dtype, shape: $0.tensor.shape)
      }
    )
    for (name, tensor) in tensors {
      // A few rows at a time: an embedding that is mapped would else be resident as a whole.
      let slab = max(1, Self.slabByteCount / max(1, tensor.byteCount / max(1, tensor.shape.rows)))
      guard tensor.shape.rank == 2 && slab < tensor.shape.rows else {
        try writer.append(tensor, to: name)
        continue
      }
      for row in stride(from: 0, to: tensor.shape.rows, by: slab) {
        let rows = tensor.rows(row..<min(row + slab, tensor.shape.rows))
        try writer.append(rows, to: name)
        rows.discardPages()
      }
    }
    try writer.finish()
  }

  private static let slabByteCount = 4 << 20

  private func writeIndex() throws {
    let index = JSONValue.object([
      "metadata": .object(["total_size": .integer(byteCount)]),
      "weight_map": .object(shards.mapValues { .string($0) }),
    ])
    let url = folder.appending(path: "model.safetensors.index.json")
    try index.text().write(to: url, options: .atomic)
  }

  private var quantization: JSONValue {
    .object([
      "quant_method": .string(PreservedWeights.method),
      "version": .integer(PreservedWeights.version), "weights": .object(descriptions),
    ])
  }

  private var configuration: JSONValue {
    var configuration = model.companions.configuration
    if !descriptions.isEmpty { configuration["quantization_config"] = quantization }
    return configuration
  }
}
