internal import Models
internal import Pipeline

/// About how long a pass over tokens takes on two cores, in seconds.
func forwardSeconds(_ promise: ModelPromise, tokens: Int) -> Double {
  // Measured were 97 GFLOP/s on two quiet cores with AVX2, and more with AVX-512.
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
