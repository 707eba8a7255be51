public import Checkpoints
public import Tensor

/// One of llama.cpp's mixtures of block formats: most matrices get one format, and those that
/// suffer more get one with more bits.
///
/// ```swift
/// let choice = BlockPreset.q4_k_m.choice(
///   for: "model.layers.0.mlp.down_proj", columns: 1536, in: configuration, hasImportance: false)
/// choice.stored    // Q6_K
/// ```
///
/// Source: llama.cpp, `src/llama-quant.cpp`, for models without experts. Its presets with formats
/// below `Q2_K`, and `Q2_K_S`, are not here.
public enum BlockPreset: String, Sendable, Hashable, CaseIterable {
  // The names are llama.cpp's.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case q2_k, q3_k_s, q3_k_m, q3_k_l, q4_k_s, q4_k_m, q5_k_s, q5_k_m, q6_k, iq4_nl, iq4_xs

  /// The format of most matrices.
  public var format: BlockFormat {
    switch self {
    case .q2_k: .q2_K
    case .q3_k_s, .q3_k_m, .q3_k_l: .q3_K
    case .q4_k_s, .q4_k_m: .q4_K
    case .q5_k_s, .q5_k_m: .q5_K
    case .q6_k: .q6_K
    case .iq4_nl: .iq4_NL
    case .iq4_xs: .iq4_XS
    }
  }

  /// The number that stands for the preset in `general.file_type` of a GGUF file.
  public var fileType: UInt32 {
    switch self {
    case .q2_k: 10
    case .q3_k_s: 11
    case .q3_k_m: 12
    case .q3_k_l: 13
    case .q4_k_s: 14
    case .q4_k_m: 15
    case .q5_k_s: 16
    case .q5_k_m: 17
    case .q6_k: 18
    case .iq4_nl: 25
    case .iq4_xs: 30
    }
  }

  /// What a matrix gets.
  public struct Choice: Sendable, Hashable {
    /// The format that the preset has for it.
    public let wanted: BlockFormat
    /// What it is stored in: that format, or if its rows do not fill blocks, another of about as
    /// many bits with blocks of 32, or `float16` if 32 does not divide them either.
    public let stored: TensorEncoding

    /// The choice of a format for rows of so many columns.
    public init(_ format: BlockFormat, columns: Int) {
      wanted = format
      let fallback = columns % format.blockLength == 0 ? format : format.shortBlocks
      stored = columns % fallback.blockLength == 0 ? .blocks(fallback) : .elements(.float16)
    }
  }

  /// The format of a matrix.
  ///
  /// - Parameters:
  ///   - module: The linear layer, such as `model.layers.0.mlp.down_proj`.
  ///   - columns: The length of its rows.
  ///   - configuration: The model's sizes.
  ///   - hasImportance: Whether an importance matrix is used, which spares some matrices.
  /// - Returns: The format that the preset has for the matrix, and the one that its rows allow.
  public func choice(
    for module: String,
    columns: Int,
    in configuration: ModelConfiguration,
    hasImportance: Bool
  ) -> Choice {
    let isTied = configuration.tiesEmbeddings
    if module == "lm_head" || isTied && module == "model.embed_tokens" {
      return Choice(columns % format.blockLength == 0 ? .q6_K : .q8_0, columns: columns)
    }
    let parts = module.split(separator: ".")
    guard parts.count > 3, parts[1] == "layers", let layer = Int(parts[2]), let part = parts.last
    else { return Choice(format, columns: columns) }
    let better: BlockFormat? =
      switch part {
      case "v_proj": valueFormat(layer, configuration)
      case "down_proj": downFormat(layer, configuration.layerCount, hasImportance)
      case "o_proj": outputFormat
      default: nil
      }
    return Choice(better ?? format, columns: columns)
  }

  /// Whether a layer is among the first or last eighth, or every third between.
  private func isSensitive(_ layer: Int, of count: Int) -> Bool {
    layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
  }

  private func valueFormat(_ layer: Int, _ configuration: ModelConfiguration) -> BlockFormat? {
    let count = configuration.layerCount
    let sharesKeys = configuration.queryHeads / configuration.keyHeads >= 4
    let format: BlockFormat? =
      switch self {
      case .q2_k: sharesKeys ? .q4_K : .q3_K
      case .q3_k_m: layer < 2 ? .q5_K : .q4_K
      case .q3_k_l: .q5_K
      case .iq4_nl, .iq4_xs: sharesKeys ? .q5_K : nil
      case .q4_k_m, .q5_k_m: isSensitive(layer, of: count) ? .q6_K : nil
      case .q4_k_s: layer < 4 ? .q5_K : nil
      default: nil
      }
    // Models of 70 billion weights have eight times as many query heads, so that this costs little.
    let isLarge =
      count == 80 && ["llama", "qwen2"].contains(configuration.architecture.ggufName)
      && (configuration.queryHeads != configuration.keyHeads
        || configuration.architecture.ggufName == "qwen2")
    let chosen = format ?? self.format
    return isLarge && (chosen == .q3_K || chosen == .q4_K) ? .q5_K : format
  }

  private func downFormat(_ layer: Int, _ count: Int, _ hasImportance: Bool) -> BlockFormat? {
    switch self {
    case .q2_k: .q3_K
    case .q3_k_m: layer < count / 16 ? .q5_K : .q4_K
    case .q3_k_l: .q5_K
    case .q4_k_m, .q5_k_m: isSensitive(layer, of: count) ? .q6_K : nil
    case .q4_k_s: layer < count / 8 ? .q5_K : nil
    case .iq4_nl, .iq4_xs: layer < count / 8 && !hasImportance ? .q5_K : nil
    default: nil
    }
  }

  private var outputFormat: BlockFormat? {
    switch self {
    case .q2_k: .q3_K
    case .q3_k_m: .q4_K
    case .q3_k_l: .q5_K
    default: nil
    }
  }
}

extension BlockFormat {
  /// The format with blocks of 32 that takes the place of one with blocks of 256.
  fileprivate var shortBlocks: BlockFormat {
    switch self {
    case .q2_K, .q3_K: .q4_0
    case .q4_K: .q5_0
    case .q5_K: .q5_1
    case .q6_K: .q8_0
    case .iq4_XS: .iq4_NL
    default: self
    }
  }
}
