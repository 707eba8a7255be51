extension Architecture {
  /// Qwen 2 and 2.5: Llama with biases on query, key and value.
  ///
  /// Source: Yang et al., *Qwen2 Technical Report*, 2024, arXiv:2407.10671.
  public static let qwen2 = Architecture(
    modelType: "qwen2",
    className: "Qwen2ForCausalLM",
    ggufName: "qwen2",
    ggufInterleavesRotaryRows: false,
    hasQueryKeyValueBias: true,
    hasQueryKeyNorm: false,
    usesSlidingWindow: false,
    readsBiasKeys: false,
    defaultRotaryBase: 10_000,
    defaultNormEpsilon: 1e-6
  )
}
