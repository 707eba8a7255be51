extension Architecture {
  /// Qwen 3: Llama with normalized query and key heads.
  ///
  /// Source: Yang et al., *Qwen3 Technical Report*, 2025, arXiv:2505.09388.
  public static let qwen3 = Architecture(
    modelType: "qwen3",
    className: "Qwen3ForCausalLM",
    ggufName: "qwen3",
    ggufInterleavesRotaryRows: false,
    hasQueryKeyValueBias: false,
    hasQueryKeyNorm: true,
    usesSlidingWindow: false,
    readsBiasKeys: true,
    defaultRotaryBase: 10_000,
    defaultNormEpsilon: 1e-6
  )
}
