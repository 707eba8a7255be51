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

  @Test(
    "config.json says the same as the file",
    arguments: [
      ("llama-grouped", "attention.sliding_window", GGUFValue.uint32(3), "mistral"),
      ("llama-grouped", "context_length", .uint32(77), "llama"),
      ("qwen2", "attention.sliding_window", .uint32(3), "qwen2"),
      ("qwen3", "attention.sliding_window", .uint32(3), "qwen3"),
      ("qwen2", "rope.dimension_count", .uint32(2), "qwen2"),
      ("llama-grouped", "attention.layer_norm_rms_epsilon", .float32(1e-5), "llama"),
    ]
  )
  func savedConfiguration(name: String, key: String, value: GGUFValue, family: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "model.gguf")
    try write(GoldenModel(name: name), to: file) { metadata, prefix in
      metadata["\(prefix).\(key)"] = value
    }
    let model = try ModelLoader.load(file)
    #expect(model.configuration.architecture.modelType == family)
    try ModelWriter(model, to: folder.url).finish()
    try FileManager.default.removeItem(at: file)
    #expect(try ModelLoader.load(folder.url).configuration == model.configuration)
  }

  @Test(
    "what config.json or the row order cannot express is named",
    arguments: [
      ("llama-bias", ["attn_output.bias"], "", nil, "hasQueryKeyValueBias"),
      ("qwen2", ["attn_q.bias", "attn_k.bias", "attn_v.bias"], "", nil, "hasQueryKeyValueBias"),
      ("llama-grouped", [], "rope.dimension_count", .uint32(2), "rotate 2 of"),
      ("llama-grouped", [], "attention.layer_norm_rms_epsilon", .float32(-.infinity), "epsilon"),
      ("llama-grouped", [], "attention.layer_norm_rms_epsilon", .float32(.nan), "epsilon"),
      ("llama-linear", [], "rope.scaling.factor", .float32(0), "factor"),
    ] as [(String, [String], String, GGUFValue?, String)]
  )
  func refused(
    name: String,
    without tensors: [String],
    key: String,
    value: GGUFValue?,
    words: String
  ) throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "model.gguf")
    try write(GoldenModel(name: name), to: file, without: tensors) { metadata, prefix in
      if let value { metadata["\(prefix).\(key)"] = value }
    }
    #expect {
      try ModelLoader.load(file)
    } throws: { error in
      error is ModelError && "\(error)".contains(words)
    }
  }

  @Test(
    "yarn's numbers must be positive",
    arguments: ["factor", "yarn_beta_fast", "yarn_beta_slow", "attn_factor"]
  )
  func yarn(key: String) throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "model.gguf")
    for value in [Float.nan, .infinity, 0, -1, 2] {
      try write(GoldenModel(name: "llama-full"), to: file) { metadata, prefix in
        metadata["\(prefix).rope.scaling.type"] = .string("yarn")
        metadata["\(prefix).rope.scaling.\(key)"] = .float32(value)
      }
      if value == 2 {
        _ = try ModelLoader.load(file)
      } else {
        #expect(throws: ModelError.self) { try ModelLoader.load(file) }
      }
    }
  }

  @Test("rotary divisors must be positive", arguments: [Float.nan, .infinity, 0, -1, 3])
  func divisors(value: Float) throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "model.gguf")
    let golden = GoldenModel(name: "llama-full")
    let pairs = try golden.load().configuration.rotary.channels / 2
    let divisors = Tensor((0..<pairs).map { $0 == 0 ? value : 1 }, shape: [pairs])
    try write(golden, to: file, adding: [("rope_freqs.weight", divisors)])
    if value == 3 {
      let scaling = try ModelLoader.load(file).configuration.rotary.scaling
      #expect(scaling == .divisors(divisors.elements(as: Float.self)))
    } else {
      #expect(throws: ModelError.self) { try ModelLoader.load(file) }
    }
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

  /// Writes a golden model in float32, with tensors left out or added and metadata changed.
  private func write(
    _ golden: GoldenModel,
    to file: URL,
    without suffixes: [String] = [],
    adding others: [(name: String, tensor: Tensor)] = [],
    change: (inout GGUFMetadata, _ prefix: String) -> Void = { _, _ in }
  ) throws {
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
    tensors.removeAll { tensor in suffixes.contains { tensor.name.hasSuffix($0) } }
    tensors += others
    var metadata = metadata(model.configuration)
    change(&metadata, model.configuration.architecture.ggufName)
    var writer = try GGUFWriter(
      path: file.path,
      metadata: metadata,
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
