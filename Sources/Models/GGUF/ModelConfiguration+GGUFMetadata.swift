internal import Checkpoints
internal import Foundation

extension ModelConfiguration {
  /// Writes sizes and options under the names of the architecture.
  func describe(in metadata: inout GGUFMetadata) {
    func set(_ name: String, _ value: GGUFValue) {
      metadata["\(architecture.ggufName).\(name)"] = value
    }
    func integer(_ value: Int) -> GGUFValue { .uint32(UInt32(clamping: value)) }
    set("vocab_size", integer(vocabularySize))
    set("context_length", integer(contextLength))
    set("embedding_length", integer(hiddenSize))
    set("block_count", integer(layerCount))
    set("feed_forward_length", integer(feedForwardSize))
    set("attention.head_count", integer(queryHeads))
    set("attention.head_count_kv", integer(keyHeads))
    set("attention.key_length", integer(headSize))
    set("attention.value_length", integer(headSize))
    set("attention.layer_norm_rms_epsilon", .float32(Float(normEpsilon)))
    if let slidingWindow { set("attention.sliding_window", integer(slidingWindow)) }
    set("rope.dimension_count", integer(rotary.channels))
    set("rope.freq_base", .float32(Float(rotary.base)))
    switch rotary.scaling {
    case .none, .llama3, .divisors: break
    case .linear(let factor):
      set("rope.scaling.type", .string("linear"))
      set("rope.scaling.factor", .float32(Float(factor)))
    case .yarn(let factor, let fast, let slow, let attention, let original, _):
      set("rope.scaling.type", .string("yarn"))
      set("rope.scaling.factor", .float32(Float(factor)))
      set("rope.scaling.original_context_length", integer(original))
      set("rope.scaling.yarn_beta_fast", .float32(Float(fast)))
      set("rope.scaling.yarn_beta_slow", .float32(Float(slow)))
      // Readers multiply this by the usual magnitude themselves.
      let usual = factor <= 1 ? 1 : 0.1 * log(factor) + 1
      set("rope.scaling.attn_factor", .float32(Float(attention / usual)))
    }
  }
}

extension RotaryConfiguration {
  /// What the frequencies are divided by, one number per pair of channels, if a file stores it.
  ///
  /// Source: `generate_extra_tensors` of llama.cpp's converter for Llama.
  package var storedDivisors: [Float]? {
    switch scaling {
    case .divisors(let divisors): return divisors
    case .llama3(let factor, let low, let high, let original):
      let plain = RotaryConfiguration(base: base, channels: channels).frequencies
      return plain.map { frequency in
        let wavelength = 2 * Float.pi / frequency
        if wavelength < Float(Double(original) / high) { return 1 }
        if wavelength > Float(Double(original) / low) { return Float(factor) }
        let smooth = (Float(original) / wavelength - Float(low)) / Float(high - low)
        return 1 / ((1 - smooth) / Float(factor) + smooth)
      }
    default: return nil
    }
  }
}
