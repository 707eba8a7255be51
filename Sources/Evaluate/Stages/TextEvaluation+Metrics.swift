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
      values["kl_lower_bound"] = keptAgreement.meanDivergence
      values["kl_lower_bound_standard_error"] = keptAgreement.meanDivergenceStandardError
      values["kl_lower_bound_99"] = keptAgreement.divergence99
      values["kl_lower_bound_max"] = keptAgreement.largestDivergence
      values["top1_agreement"] = keptAgreement.sameTop
      values["top1_agreement_standard_error"] = keptAgreement.sameTopStandardError
      values["reference_top_k"] = Double(keptAgreement.topK)
      values["reference_kept_probability"] = keptAgreement.keptProbability
    }
    guard let agreement else { return values }
    values["kl_mean"] = agreement.meanDivergence
    values["kl_standard_error"] = agreement.meanDivergenceStandardError
    values["kl_99"] = agreement.divergence99
    values["kl_max"] = agreement.largestDivergence
    values["top1_agreement"] = agreement.sameTop
    values["top1_agreement_standard_error"] = agreement.sameTopStandardError
    values["loss_increase"] = agreement.lossIncrease
    values["loss_increase_standard_error"] = agreement.lossIncreaseStandardError
    return values
  }
}
