internal import Models
internal import Pipeline

/// Finds that a model's tokenizer, which calibration needs, cannot be opened.
func tokenizerProblems(of model: LanguageModel) -> [StageProblem] {
  do {
    _ = try model.tokenizer()
    return []
  } catch {
    return [StageProblem("the tokenizer is needed and cannot be opened: \(error)")]
  }
}

/// About how long a pass over tokens takes on two cores, in seconds.
func forwardSeconds(_ promise: ModelPromise, tokens: Int) -> Double {
  // 80 GFLOP/s, measured for float32 and bfloat16 products on two cores with AVX2.
  2 * Double(promise.parameterCount) * Double(tokens) / 80e9
}

/// Sizes before and after, for a report.
func sizeMetrics(
  _ before: ModelConfiguration,
  _ after: ModelConfiguration
) -> [String: Double] {
  var metrics = [
    "parameters_before": Double(before.parameterCount),
    "parameters_after": Double(after.parameterCount),
    "parameters_removed": 1 - Double(after.parameterCount) / Double(before.parameterCount),
  ]
  let sizes: [(String, KeyPath<ModelConfiguration, Int>)] = [
    ("layers", \.layerCount), ("feed_forward", \.feedForwardSize), ("query_heads", \.queryHeads),
    ("key_heads", \.keyHeads), ("hidden", \.hiddenSize),
  ]
  for (name, size) in sizes where before[keyPath: size] != after[keyPath: size] {
    metrics["\(name)_before"] = Double(before[keyPath: size])
    metrics["\(name)_after"] = Double(after[keyPath: size])
  }
  return metrics
}
