extension TextEvaluation.Result {
  /// The numbers by the names that reports, gates and docs/numbers.md use.
  ///
  /// A standard error that one observation cannot give is left out.
  public var metrics: [String: Double] {
    var values = [
      "perplexity": perplexity.value, "loss": perplexity.meanLoss,
      "evaluated_tokens": Double(perplexity.tokenCount), "tokens_per_second": tokensPerSecond,
    ]
    values["perplexity_standard_error"] = perplexity.standardError
    values["loss_standard_error"] = perplexity.meanLossStandardError
    if let keptAgreement {
      values.add(keptAgreement.distance, mean: "kl_lower_bound", others: "kl_lower_bound")
      values["reference_top_k"] = Double(keptAgreement.topK)
      values["reference_kept_probability"] = keptAgreement.keptProbability
    }
    guard let agreement else { return values }
    values.add(agreement.distance, mean: "kl_mean", others: "kl")
    values["loss_increase"] = agreement.lossIncrease
    values["loss_increase_standard_error"] = agreement.lossIncreaseStandardError
    return values
  }
}

extension [String: Double] {
  /// Adds divergences under two names' beginnings, and the agreement of first choices.
  fileprivate mutating func add(_ distance: PredictionDistance, mean: String, others: String) {
    self[mean] = distance.meanDivergence
    self["\(others)_standard_error"] = distance.meanDivergenceStandardError
    self["\(others)_99"] = distance.divergence99
    self["\(others)_max"] = distance.largestDivergence
    self["top1_agreement"] = distance.sameTop
    self["top1_agreement_standard_error"] = distance.sameTopStandardError
  }
}
