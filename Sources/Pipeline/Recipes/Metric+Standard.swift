extension Metric {
  /// The metrics of every recipe, in the order of tables; docs/numbers.md defines them in full.
  public static let standard: [Metric] = resources + quality + details

  private static let resources = [
    Metric(
      "size",
      key: "size_bytes",
      title: "size",
      unit: .bytes,
      source: .run,
      lessIsBetter: true,
      "Bytes of the file, or of the folder's files that hold the model's tensors."
    ),
    Metric(
      "size_ratio",
      title: "size ratio",
      source: .run,
      lessIsBetter: true,
      isDetail: true,
      "Size divided by the baseline's."
    ),
    Metric(
      "bits_per_weight",
      title: "bits/weight",
      source: .run,
      lessIsBetter: true,
      "Eight times the size, divided by the model's parameters."
    ),
  ]

  private static let quality = [
    Metric(
      "perplexity",
      title: "perplexity",
      lessIsBetter: true,
      "Exponential of the mean loss per predicted token."
    ),
    Metric(
      "perplexity_ratio",
      title: "perplexity ratio",
      lessIsBetter: true,
      isDetail: true,
      "Perplexity divided by the baseline's."
    ),
    Metric(
      "kl_mean",
      title: "KL",
      source: .agreement,
      lessIsBetter: true,
      "Mean Kullback–Leibler divergence from the baseline's next-token distribution, in nats."
    ),
    Metric(
      "top1_agreement",
      title: "same top-1",
      unit: .fraction,
      source: .agreement,
      lessIsBetter: false,
      "Share of positions at which the most likely token is the baseline's."
    ),
    Metric(
      "peak_memory",
      key: "peak_bytes",
      title: "peak memory",
      unit: .bytes,
      source: .run,
      lessIsBetter: true,
      "Most resident memory of the process during the stage, pages of mapped files included."
    ),
    Metric(
      "wall_seconds",
      title: "time",
      unit: .seconds,
      source: .run,
      lessIsBetter: true,
      "How long the stage took, measuring not counted."
    ),
  ]

  private static let details = [
    Metric(
      "perplexity_standard_error",
      title: "± perplexity",
      lessIsBetter: true,
      isDetail: true,
      "Standard error of the perplexity."
    ),
    Metric(
      "loss",
      title: "loss",
      lessIsBetter: true,
      isDetail: true,
      "Mean loss per predicted token, in nats."
    ),
    Metric(
      "loss_increase",
      title: "loss increase",
      source: .agreement,
      lessIsBetter: true,
      isDetail: true,
      "Mean loss minus the baseline's on the same tokens, in nats."
    ),
    Metric(
      "kl_99",
      title: "KL 99 %",
      source: .agreement,
      lessIsBetter: true,
      isDetail: true,
      "Divergence that 99 % of the positions stay under, in nats."
    ),
    Metric(
      "kl_max",
      title: "largest KL",
      source: .agreement,
      lessIsBetter: true,
      isDetail: true,
      "Largest divergence of any position, in nats."
    ),
    Metric(
      "tokens_per_second",
      title: "tokens/s",
      lessIsBetter: false,
      isDetail: true,
      "Tokens read per second while measuring."
    ),
  ]
}
