import Checkpoints
import Foundation
import Models
import Tensor

/// A random one-layer Llama whose linear layers are packed as compressed-tensors does.
///
/// The feed-forward width of 20 leaves words half empty with every number of bits.
struct QuantizedFolder {
  static let (width, wide, vocabulary) = (16, 20, 64)

  let url: URL
  /// What the codes and scales of each layer mean, `[outputs · inputs]`.
  private(set) var expected: [String: [Float]] = [:]

  /// Writes the folder.
  init(_ url: URL, bits: Int, seed: UInt64 = 1) throws {
    self.url = url
    var generator = SeededGenerator(seed)
    var tensors: [(name: String, tensor: Tensor)] = []
    func random(_ name: String, _ shape: Shape) {
      let elements = (0..<shape.count).map { _ in Float.random(in: -1...1, using: &generator) }
      tensors.append((name, Tensor(elements, shape: shape)))
    }
    random("model.embed_tokens.weight", [Self.vocabulary, Self.width])
    for norm in [
      "model.layers.0.input_layernorm", "model.layers.0.post_attention_layernorm", "model.norm",
    ] { random("\(norm).weight", [Self.width]) }
    for (name, rows, columns) in Self.layers {
      random("\(name).weight_scale", [rows, 1])
      let scales = tensors[tensors.count - 1].tensor.elements(as: Float.self)
      let words = (columns * bits + 31) / 32
      let codes = (0..<rows * words).map { _ in UInt32.random(in: 0...(.max), using: &generator) }
      tensors.append(
        (
          "\(name).weight_packed",
          Tensor(codes.map { Int32(bitPattern: $0) }, shape: [rows, words])
        )
      )
      expected[name] = (0..<rows * columns).map { index in
        let (row, first) = (index / columns, index % columns * bits)
        let code = (0..<bits).reduce(0) { code, bit in
          let place = first + bit
          return code | Int(codes[row * words + place / 32] >> UInt32(place % 32) & 1) << bit
        }
        return scales[row] * Float(code - 1 << (bits - 1))
      }
    }
    try Self.write(tensors, to: url.appending(path: "model.safetensors"))
    try writeConfiguration(Self.section(bits: bits))
  }

  static let layers: [(String, Int, Int)] = [
    ("self_attn.q_proj", width, width), ("self_attn.k_proj", width / 2, width),
    ("self_attn.v_proj", width / 2, width), ("self_attn.o_proj", width, width),
    ("mlp.gate_proj", wide, width), ("mlp.up_proj", wide, width), ("mlp.down_proj", width, wide),
  ].map { ("model.layers.0.\($0)", $1, $2) }

  /// `quantization_config` with one group of layers.
  static func section(bits: Int, targets: [String] = ["Linear"]) -> JSONValue {
    .object([
      "quant_method": .string("compressed-tensors"), "format": .string("pack-quantized"),
      "config_groups": .object(["group_0": group(bits: bits, targets: targets)]),
      "transform_config": .object([:]), "sparsity_config": .object(["format": .string("dense")]),
    ])
  }

  /// An entry of `config_groups`.
  static func group(bits: Int, targets: [String]) -> JSONValue {
    .object([
      "targets": .array(targets.map { .string($0) }), "input_activations": .null,
      "weights": .object([
        "num_bits": .integer(bits), "type": .string("int"), "strategy": .string("channel"),
        "symmetric": .bool(true),
      ]),
    ])
  }

  /// Writes config.json with a `quantization_config`.
  func writeConfiguration(_ section: JSONValue) throws {
    let json = JSONValue.object([
      "model_type": .string("llama"), "hidden_size": .integer(Self.width),
      "intermediate_size": .integer(Self.wide), "num_hidden_layers": .integer(1),
      "num_attention_heads": .integer(2), "num_key_value_heads": .integer(1),
      "vocab_size": .integer(Self.vocabulary), "tie_word_embeddings": .bool(true),
      "quantization_config": section,
    ])
    try json.text().write(to: url.appending(path: "config.json"), options: .atomic)
  }

  /// Adds a tensor to the weights.
  func add(_ name: String, _ tensor: Tensor) throws {
    let file = url.appending(path: "model.safetensors")
    let source = try SafetensorsFile(path: file.path)
    var tensors = try source.entries.map { (name: $0.name, tensor: try source.tensor($0.name)) }
    tensors.append((name, tensor))
    try Self.write(tensors, to: file)
  }

  private static func write(_ tensors: [(name: String, tensor: Tensor)], to file: URL) throws {
    var writer = try SafetensorsWriter(
      path: file.path,
      tensors: tensors.map {
        TensorDeclaration($0.name, dtype: $0.tensor.dtype, shape: $0.tensor.shape)
      }
    )
    for (name, tensor) in tensors { try writer.append(tensor, to: name) }
    try writer.finish()
  }
}
