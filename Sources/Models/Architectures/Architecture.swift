/// A family of models: what its files are called and which conventions they follow.
///
/// To support another family, add a file beside this one and a line to ``Architecture/all``.
public struct Architecture: Sendable, Hashable {
  /// `model_type` in config.json, such as `llama`.
  public let modelType: String
  /// The class named in config.json's `architectures`, such as `LlamaForCausalLM`.
  public let className: String
  /// `general.architecture` in GGUF files.
  public let ggufName: String
  /// Whether GGUF files of the family store query and key rows for a rotation of neighbouring
  /// channels, where Hugging Face's rotate the two halves of a head.
  public let ggufInterleavesRotaryRows: Bool
  /// Whether query, key and value have biases when config.json does not say.
  public let hasQueryKeyValueBias: Bool
  /// Whether each head of query and key is normalized.
  public let hasQueryKeyNorm: Bool
  /// Whether `sliding_window` applies without being asked for by another key.
  public let usesSlidingWindow: Bool
  /// Whether config.json may ask for biases by `attention_bias` and `mlp_bias`.
  public let readsBiasKeys: Bool
  /// The base of the rotary embedding when config.json names none.
  public let defaultRotaryBase: Double
  /// The epsilon of normalizations when config.json names none.
  public let defaultNormEpsilon: Double

  /// Every supported family.
  public static let all: [Architecture] = [.llama, .mistral, .qwen2, .qwen3]

  /// The family with a GGUF name.
  ///
  /// The llama name is shared by Llama, SmolLM2 and Mistral, which is the one with a sliding window.
  package static func named(inGGUF name: String, hasSlidingWindow: Bool) -> Architecture? {
    let families = all.filter { $0.ggufName == name }
    return families.first { $0.usesSlidingWindow == hasSlidingWindow } ?? families.first
  }

  /// The family of a `model_type`.
  package static func named(_ modelType: String) -> Architecture? {
    all.first { $0.modelType == modelType }
  }
}
