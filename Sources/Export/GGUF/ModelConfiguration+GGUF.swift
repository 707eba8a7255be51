internal import Checkpoints
internal import Foundation
internal import Models
internal import Pipeline

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

  /// This configuration as a file of it is read, with those parts of `written` that mean the same:
  /// numbers in 32 bits, frequencies scaled in another way to the same values, and the vocabulary's
  /// special tokens, which belong to the tokenizer.
  func readFromGGUF(as written: ModelConfiguration) -> ModelConfiguration {
    var result = self
    result.architecture =
      Architecture.named(
        inGGUF: architecture.ggufName,
        hasSlidingWindow: slidingWindow != nil
      ) ?? architecture
    result.normEpsilon = Double(Float(normEpsilon))
    if rotary.rotates(like: written.rotary) { result.rotary = written.rotary }
    result.beginningOfText = written.beginningOfText
    result.endOfText = written.endOfText
    return result
  }

  /// What GGUF's readers would compute otherwise than this model.
  var problemsInGGUF: [StageProblem] {
    var problems: [StageProblem] = []
    if architecture.ggufInterleavesRotaryRows && rotary.channels != headSize {
      problems.append(
        StageProblem(
          "only \(rotary.channels) of \(headSize) channels rotate, which "
            + "\(architecture.ggufName) models in GGUF files do not"
        )
      )
    }
    if rotary.storedDivisors != nil && !architecture.ggufInterleavesRotaryRows {
      problems.append(
        StageProblem(
          "the rotary frequencies are scaled one by one, which \(architecture.ggufName) models in "
            + "GGUF files do not have"
        )
      )
    }
    return problems
  }

  /// What a reader of a plan should know.
  var notesOnGGUF: [String] {
    var notes: [String] = []
    if let slidingWindow, slidingWindow < contextLength {
      notes.append(
        "llama.cpp may attend beyond the window of \(slidingWindow) tokens, so texts longer than "
          + "that can get other results"
      )
    }
    if case .yarn(_, _, _, _, _, truncates: false) = rotary.scaling {
      notes.append("llama.cpp rounds the ends of YaRN's ramp, which this model does not")
    }
    return notes
  }
}

extension RotaryConfiguration {
  /// Whether another rotation, read from a file of this one, turns by the same angles.
  fileprivate func rotates(like other: RotaryConfiguration) -> Bool {
    var stored = self
    // Files cannot say that the ends of YaRN's ramp are not rounded.
    if case .yarn(let factor, let fast, let slow, let attention, let original, _) = scaling {
      stored.scaling = .yarn(
        factor: factor,
        betaFast: fast,
        betaSlow: slow,
        attentionFactor: attention,
        originalContextLength: original,
        truncates: true
      )
    }
    func isClose(_ x: Double, _ y: Double) -> Bool { abs(x - y) <= 1e-4 * abs(y) }
    return channels == other.channels
      && isClose(stored.attentionFactor, other.attentionFactor)
      && zip(stored.frequencies, other.frequencies).allSatisfy { isClose(Double($0), Double($1)) }
  }

  /// What the frequencies are divided by, one number per pair of channels, if a file stores it.
  ///
  /// Source: `generate_extra_tensors` of llama.cpp's converter for Llama.
  var storedDivisors: [Float]? {
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
