internal import Models
internal import Pipeline
internal import Tensor

/// What to say if a measurement is infinite or not a number: the first weight that is to blame, or
/// where it was measured.
///
/// - Parameters:
///   - what: What was measured, as the subject of a sentence.
///   - place: The block, layer or axis concerned.
///   - model: The model, whose weights are looked through.
/// - Returns: The error to throw.
/// - Complexity: A pass over the weights, up to the one that is to blame.
func notFinite(_ what: String, at place: String, _ model: LanguageModel) -> PruneError {
  do {
    try requireFiniteWeights(model)
  } catch {
    return error
  }
  return PruneError(
    .notFinite,
    "\(what) is infinite or not a number",
    at: place,
    remedy: "its weights are too large, or the checkpoint is damaged; fetch it again"
  )
}

/// Looks through all weights of a model.
///
/// - Throws: ``PruneError`` that names the first part that holds what is no number.
/// - Complexity: A pass over the weights, a section in memory at a time.
func requireFiniteWeights(_ model: LanguageModel) throws(PruneError) {
  for section in model.sections {
    defer { section.release() }
    for linear in section.matrices { _ = try finiteWeight(linear) }
    for norm in section.norms where !norm.weight.isFinite { throw notFiniteWeight(norm.name) }
  }
}

private func notFiniteWeight(_ name: String) -> PruneError {
  PruneError(
    .notFinite,
    "a weight is infinite or not a number",
    at: name,
    remedy: "the checkpoint is damaged; fetch it again"
  )
}

/// Widens a layer's weight, or says that it holds what is no number.
func finiteWeight(_ linear: Linear) throws(PruneError) -> Tensor {
  let weight = linear.weight.dense
  guard weight.isFinite else { throw notFiniteWeight(linear.name) }
  return weight
}

extension Tensor {
  /// Whether no element is infinite or not a number.
  var isFinite: Bool { converted(to: .float32).sumOfSquares().isFinite }
}

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
