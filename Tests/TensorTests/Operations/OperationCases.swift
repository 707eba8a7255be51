import TestSupport

/// Every operation case.
///
/// A file of cases adds its array here.
let allOperationCases: [OperationCase] = [
  arithmeticCases,
  pointwiseCases,
  reductionCases,
  shapingCases,
  normalizationCases,
  probabilityCases,
  lossCases,
  attentionCases,
  linearCases,
  levelCases,
  headLossCases,
].flatMap(\.self)
