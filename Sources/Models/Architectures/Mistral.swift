extension Architecture {
  /// Mistral: Llama with an optional sliding attention window.
  ///
  /// Source: Jiang et al., *Mistral 7B*, 2023, arXiv:2310.06825.
  public static let mistral = Architecture(
    modelType: "mistral",
    className: "MistralForCausalLM",
    ggufName: "llama",
    ggufInterleavesRotaryRows: true,
    hasQueryKeyValueBias: false,
    hasQueryKeyNorm: false,
    usesSlidingWindow: true,
    readsBiasKeys: false,
    defaultRotaryBase: 10_000,
    defaultNormEpsilon: 1e-6
  )
}
