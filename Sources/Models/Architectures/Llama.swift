extension Architecture {
  /// Llama 1 to 3, and the many models that share its form, such as SmolLM2.
  ///
  /// Source: Touvron et al., *LLaMA*, 2023, arXiv:2302.13971.
  public static let llama = Architecture(
    modelType: "llama",
    className: "LlamaForCausalLM",
    ggufName: "llama",
    ggufInterleavesRotaryRows: true,
    hasQueryKeyValueBias: false,
    hasQueryKeyNorm: false,
    usesSlidingWindow: false,
    readsBiasKeys: true,
    defaultRotaryBase: 10_000,
    defaultNormEpsilon: 1e-6
  )
}
