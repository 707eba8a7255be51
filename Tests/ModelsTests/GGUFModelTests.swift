import Checkpoints
import Foundation
import Tensor
import Testing

@testable import Models

/// The golden models as GGUF files, with the row order and names of that format.
@Suite("GGUF models")
struct GGUFModelTests {
  private static let names = [
    "llama-full", "llama-grouped", "llama-bias", "llama-head-size", "llama-linear",
    "mistral-window", "qwen2", "qwen3",
  ]

  @Test("logits equal those of transformers", arguments: names)
  func logits(name: String) throws {
    let golden = GoldenModel(name: name)
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "model.gguf")
    try write(golden, to: file)
    let model = try ModelLoader.load(file)
    let (tokens, expected) = try golden.expected()
    let logits = model.logits(model.hidden([tokens])).reshaped(expected.shape)
    #expect(relativeError(logits, expected) <= 1e-5)
    #expect(model.parameterCount == (try golden.load().parameterCount))
  }

  @Test("a file with bytes of its header changed or cut opens or is an error", arguments: names)
  func damaged(name: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "model.gguf")
    try write(GoldenModel(name: name), to: file)
    let original = [UInt8](try Data(contentsOf: file))
    var generator = SeededGenerator(UInt64(name.utf8.count))
    for _ in 0..<150 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let place = Int.random(in: 0..<2600, using: &generator)
        let values: [UInt8] = [0, 1, 2, 0x7F, 0x80, 0xFF, .random(in: 0...255, using: &generator)]
        bytes[place] = values.randomElement(using: &generator) ?? 0
      }
      if Int.random(in: 0..<8, using: &generator) == 0 {
        bytes = Array(bytes[..<Int.random(in: 0..<bytes.count, using: &generator)])
      }
      try Data(bytes).write(to: file, options: .atomic)
      do {
        let model = try ModelLoader.load(file)
        let last = Int32(model.configuration.vocabularySize - 1)
        #expect(model.logits(model.hidden([[0, last]])).shape.rank == 3)
      } catch {
        #expect(error is ModelError || error is CheckpointError, "\(error)")
      }
    }
  }

  /// Writes a golden model in float32.
  private func write(_ golden: GoldenModel, to file: URL) throws {
    let model = try golden.load()
    let interleaves = model.configuration.architecture.ggufInterleavesRotaryRows
    var tensors: [(name: String, tensor: Tensor)] = []
    func add(_ name: String, _ tensor: Tensor, rows: [Int32]? = nil) throws {
      let stored = try #require(GGUFNames.name(of: name))
      let tensor = tensor.converted(to: .float32)
      tensors.append((stored, rows.map { reordered(tensor, $0) } ?? tensor))
    }
    for norm in model.norms { try add("\(norm.name).weight", norm.weight) }
    for matrix in model.matrices {
      var rows: [Int32]?
      if interleaves && matrix.name.hasSuffix("q_proj") {
        rows = RotaryRows.halved(heads: model.configuration.queryHeads, rows: matrix.rows)
      } else if interleaves && matrix.name.hasSuffix("k_proj") {
        rows = RotaryRows.halved(heads: model.configuration.keyHeads, rows: matrix.rows)
      }
      try add("\(matrix.name).weight", matrix.weight.dense, rows: rows)
      if let bias = matrix.bias { try add("\(matrix.name).bias", bias, rows: rows) }
    }
    var writer = try GGUFWriter(
      path: file.path,
      metadata: metadata(model.configuration),
      tensors: tensors.map { TensorDeclaration($0.name, dtype: .float32, shape: $0.tensor.shape) }
    )
    for (name, tensor) in tensors { try writer.append(tensor, to: name) }
    try writer.finish()
  }

  private func reordered(_ tensor: Tensor, _ rows: [Int32]) -> Tensor {
    let elements = tensor.elements(as: Float.self)
    let width = elements.count / rows.count
    return Tensor(
      rows.flatMap { elements[Int($0) * width..<(Int($0) + 1) * width] },
      shape: tensor.shape
    )
  }

  private func metadata(_ model: ModelConfiguration) -> GGUFMetadata {
    let name = model.architecture.ggufName
    var metadata: GGUFMetadata = ["general.architecture": .string(name)]
    let sizes = [
      ("embedding_length", model.hiddenSize), ("block_count", model.layerCount),
      ("feed_forward_length", model.feedForwardSize), ("context_length", model.contextLength),
      ("attention.head_count", model.queryHeads), ("attention.head_count_kv", model.keyHeads),
      ("attention.key_length", model.headSize), ("attention.value_length", model.headSize),
    ]
    for (key, value) in sizes { metadata["\(name).\(key)"] = .uint32(UInt32(value)) }
    metadata["\(name).attention.layer_norm_rms_epsilon"] = .float32(Float(model.normEpsilon))
    metadata["\(name).rope.freq_base"] = .float32(Float(model.rotary.base))
    if let window = model.slidingWindow {
      metadata["\(name).attention.sliding_window"] = .uint32(UInt32(window))
    }
    if case .linear(let factor) = model.rotary.scaling {
      metadata["\(name).rope.scaling.type"] = .string("linear")
      metadata["\(name).rope.scaling.factor"] = .float32(Float(factor))
    }
    return metadata
  }
}
