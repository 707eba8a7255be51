internal import Checkpoints
public import Foundation
public import Models
public import Tensor

/// A random Llama of two layers, or as many as asked for, with a byte-level tokenizer, in a folder
/// that is removed with the object.
///
/// It has about 80 000 weights; rows of 64 and 96 are whole blocks of GGUF, which can express the
/// tokenizer too.
public final class TinyModel {
  /// How a model differs from the usual one.
  public struct Variant: Sendable {
    /// Whether the head is the embedding.
    public var tiesEmbeddings = true
    /// Whether every projection has a bias.
    public var hasBias = false
    /// The type of the stored weights.
    public var dtype = DType.float32
    /// `llama3` rotary scaling instead of none.
    public var scalesRotation = false

    /// Creates a variant.
    public init(
      tiesEmbeddings: Bool = true,
      hasBias: Bool = false,
      dtype: DType = .float32,
      scalesRotation: Bool = false
    ) {
      self.tiesEmbeddings = tiesEmbeddings
      self.hasBias = hasBias
      self.dtype = dtype
      self.scalesRotation = scalesRotation
    }
  }

  /// The folder.
  public let url: URL
  private let variant: Variant
  private let blocks: Int
  private static let (width, wide, heads, keyHeads, vocabulary) = (64, 96, 4, 2, 264)

  /// Writes a model.
  public init(_ variant: Variant = Variant(), blocks: Int = 2, seed: UInt64 = 1) throws {
    self.variant = variant
    self.blocks = blocks
    url = FileManager.default.temporaryDirectory.appending(path: "tiny-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    var random = TinyRandom(seed: seed)
    let tensors = shapes.map { name, shape in
      let elements = (0..<shape.count).map { _ in
        shape.rank == 1 && name.hasSuffix("norm.weight")
          ? 1 + 0.1 * random.normal() : 0.1 * random.normal()
      }
      return (name, Tensor(elements, shape: shape).converted(to: variant.dtype))
    }
    var writer = try SafetensorsWriter(
      path: url.appending(path: "model.safetensors").path,
      tensors: tensors.map { TensorDeclaration($0.0, dtype: variant.dtype, shape: $0.1.shape) }
    )
    for (name, tensor) in tensors { try writer.append(tensor, to: name) }
    try writer.finish()
    try configuration.text().write(to: url.appending(path: "config.json"))
    try Self.tokenizer.text().write(to: url.appending(path: "tokenizer.json"))
    try JSONValue.object([
      "tokenizer_class": .string("PreTrainedTokenizerFast"), "eos_token": .string("<|end|>"),
      "chat_template": .string("{{ messages[0]['content'] }}"),
    ]).text().write(to: url.appending(path: "tokenizer_config.json"))
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Opens the model.
  public func load() throws -> LanguageModel { try ModelLoader.load(url) }

  /// Puts a changed model in place of the one that was written.
  public func save(_ model: LanguageModel) throws {
    let saved = result("saved")
    try FileManager.default.createDirectory(at: saved, withIntermediateDirectories: true)
    try ModelWriter(model, to: saved).finish()
    try FileManager.default.removeItem(at: result("model.safetensors"))
    for file in try FileManager.default.contentsOfDirectory(atPath: saved.path) {
      try? FileManager.default.removeItem(at: result(file))
      try FileManager.default.moveItem(at: saved.appending(path: file), to: result(file))
    }
  }

  /// A path inside the model's folder, for results.
  public func result(_ name: String) -> URL { url.appending(path: name) }

  private var shapes: [(String, Shape)] {
    let (width, wide) = (Self.width, Self.wide)
    let keys = width / Self.heads * Self.keyHeads
    var shapes: [(String, Shape)] = [("model.embed_tokens.weight", [Self.vocabulary, width])]
    for layer in 0..<blocks {
      let prefix = "model.layers.\(layer)"
      let matrices = [
        ("self_attn.q_proj", width, width), ("self_attn.k_proj", keys, width),
        ("self_attn.v_proj", keys, width), ("self_attn.o_proj", width, width),
        ("mlp.gate_proj", wide, width), ("mlp.up_proj", wide, width),
        ("mlp.down_proj", width, wide),
      ]
      for (name, rows, columns) in matrices {
        shapes.append(("\(prefix).\(name).weight", [rows, columns]))
        if variant.hasBias { shapes.append(("\(prefix).\(name).bias", [rows])) }
      }
      for name in ["input_layernorm", "post_attention_layernorm"] {
        shapes.append(("\(prefix).\(name).weight", [width]))
      }
    }
    shapes.append(("model.norm.weight", [width]))
    if !variant.tiesEmbeddings { shapes.append(("lm_head.weight", [Self.vocabulary, width])) }
    return shapes
  }

  private var configuration: JSONValue {
    var rotation: [String: JSONValue] = [
      "rope_type": .string("default"), "rope_theta": .number(10_000),
    ]
    if variant.scalesRotation {
      rotation["rope_type"] = .string("llama3")
      rotation["factor"] = .number(8)
      rotation["low_freq_factor"] = .number(1)
      rotation["high_freq_factor"] = .number(4)
      rotation["original_max_position_embeddings"] = .integer(8192)
    }
    return .object([
      "architectures": .array([.string("LlamaForCausalLM")]), "model_type": .string("llama"),
      "hidden_act": .string("silu"), "hidden_size": .integer(Self.width),
      "intermediate_size": .integer(Self.wide), "num_hidden_layers": .integer(blocks),
      "num_attention_heads": .integer(Self.heads), "num_key_value_heads": .integer(Self.keyHeads),
      "vocab_size": .integer(Self.vocabulary), "max_position_embeddings": .integer(128),
      "rms_norm_eps": .number(1e-5), "tie_word_embeddings": .bool(variant.tiesEmbeddings),
      "rope_parameters": .object(rotation), "attention_bias": .bool(variant.hasBias),
      "mlp_bias": .bool(variant.hasBias), "eos_token_id": .integer(0),
      "torch_dtype": .string(variant.dtype.rawValue),
    ])
  }

  /// One token per byte, seven merges, and a special one.
  private static var tokenizer: JSONValue {
    var ids: [String: JSONValue] = ["<|end|>": .integer(0)]
    // Bytes without a printable character of their own take the next ones from 256.
    var spare = 256
    for byte in 0..<256 {
      let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
      let scalar = Unicode.Scalar(UInt32(isPrintable ? byte : spare)) ?? " "
      if !isPrintable { spare += 1 }
      ids[String(Character(scalar))] = .integer(1 + byte)
    }
    let merges = ["t h", "th e", "a n", "i n", "e r", "o n", "r e"]
    for (index, merge) in merges.enumerated() {
      ids[merge.replacing(" ", with: "")] = .integer(257 + index)
    }
    return .object([
      "version": .string("1.0"), "truncation": .null, "padding": .null,
      "added_tokens": .array([
        .object([
          "id": .integer(0), "content": .string("<|end|>"), "single_word": .bool(false),
          "lstrip": .bool(false), "rstrip": .bool(false), "normalized": .bool(false),
          "special": .bool(true),
        ])
      ]),
      "normalizer": .null, "pre_tokenizer": byteLevel, "post_processor": .null,
      "decoder": byteLevel,
      "model": .object([
        "type": .string("BPE"), "dropout": .null, "unk_token": .null,
        "continuing_subword_prefix": .null, "end_of_word_suffix": .null, "fuse_unk": .bool(false),
        "byte_fallback": .bool(false), "vocab": .object(ids),
        "merges": .array(merges.map { .string($0) }),
      ]),
    ])
  }

  private static let byteLevel = JSONValue.object([
    "type": .string("ByteLevel"), "add_prefix_space": .bool(false), "trim_offsets": .bool(true),
    "use_regex": .bool(true),
  ])
}

/// Seeded random numbers for tests.
public struct TinyRandom: RandomNumberGenerator {
  private var state: UInt64

  /// Creates a generator.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits, by splitmix64.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A normally distributed number.
  public mutating func normal() -> Float {
    let u = Float.random(in: Float.leastNonzeroMagnitude..<1, using: &self)
    let angle = Float.random(in: 0..<1, using: &self) * 2 * .pi
    return (-2 * log(u)).squareRoot() * cos(angle)
  }
}
